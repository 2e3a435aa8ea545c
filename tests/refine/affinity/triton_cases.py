"""Kernels against plain torch, and the walk against the matrix: interpreted, or on a GPU.

`tests/refine/test_triton.py` runs this file in a process of its own: Triton is to be told to
interpret before it is imported. A program takes about 40 ms there, so that steps are few.
"""

import os

import numpy as np
import pytest
import torch
from triton.runtime.interpreter import GridExecutor

from wsss.refine.affinity.boundaries import boundary_affinity, strongest_steps_in_torch
from wsss.refine.affinity.paths import pair_offsets
from wsss.refine.affinity.triton_kernels.strongest import strongest_steps_in_triton
from wsss.refine.affinity.triton_kernels.walk import MAPS, walk_in_triton
from wsss.refine.affinity.walk import random_walk, walk_in_torch

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = torch.device("cpu" if INTERPRETED else "cuda")
FUSES = torch.backends.cpu.get_cpu_capability() != "DEFAULT"
"""Whether torch fuses products and sums on this CPU, as the kernel does."""
SIZES_AND_RADII = [
    ((8, 11), 5),
    ((11, 6), 3),
    ((1, 1), 5),
    ((1, 13), 4),
    ((13, 1), 4),
    ((3, 2), 4),
    ((17, 23), 2),
    ((5, 6), 1),
]


def random_case(size, radius, batch=2, maps=3, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    shapes = (batch, maps, *size), (batch, len(pair_offsets(radius)), *size)
    return tuple(torch.rand(shape, generator=generator, dtype=dtype) for shape in shapes)


def walk(scores, affinity, radius, exponent, num_steps, pixels=256):
    found = walk_in_triton(
        scores.to(DEVICE), affinity.to(DEVICE), radius, exponent, num_steps, pixels
    )
    assert found.device.type == DEVICE.type
    return found.cpu()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("size", "radius"), SIZES_AND_RADII)
def test_steps_are_those_of_torch_on_a_cpu_bit_by_bit(size, radius, dtype):
    scores, affinity = random_case(size, radius, dtype=dtype)
    # Squares are the same anywhere, other powers are not.
    found = walk(scores, affinity, radius, 2.0, 2)
    expected = walk_in_torch(scores, affinity, radius, 2.0, 2)
    tolerance = 0 if FUSES else 2 * rounding(radius, dtype)
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize(("size", "radius"), [((7, 9), 3), ((2, 11), 4)])
def test_neighbours_that_are_nothing_or_all_alike(size, radius):
    scores, affinity = random_case(size, radius)
    assert torch.equal(walk(scores, torch.zeros_like(affinity), radius, 10.0, 2), scores)
    # Products with 1 are exact: to fuse them or not is the same.
    found, expected = (
        way(scores, torch.ones_like(affinity), radius, 10.0, 2) for way in (walk, walk_in_torch)
    )
    assert torch.equal(found, expected)


def rounding(radius, dtype):
    """How much rounding can change scores of at most 1 in a step.

    A sum of m products rounds m times, as does the degree that it is divided by; weights, the
    inverse and the product with it round once each. A step is an average: what rounding has changed
    before it does not grow.
    """
    terms = 2 * len(pair_offsets(radius)) + 1
    return (2 * terms + 4) * torch.finfo(dtype).eps / 2


@pytest.mark.parametrize(("size", "radius", "num_steps"), [((7, 9), 2, 24), ((4, 13), 5, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_walk_is_a_power_of_the_dense_matrix(dense_transition, size, radius, num_steps, dtype):
    scores, affinity = random_case(size, radius, dtype=dtype)
    found = walk(scores, affinity, radius, 3.0, num_steps)
    for image in range(2):
        power = np.linalg.matrix_power(dense_transition(affinity[image], radius, 3), num_steps)
        expected = scores[image].flatten(1).double().numpy() @ power.T
        error = np.abs(found[image].flatten(1).numpy() - expected).max()
        assert error <= num_steps * rounding(radius, dtype) + 1e-13


def test_a_wide_neighbourhood():
    scores, affinity = random_case((12, 14), 10, batch=1)
    expected = walk_in_torch(scores, affinity, 10, 2.0, 1)
    tolerance = 0 if FUSES else rounding(10, torch.float32)
    torch.testing.assert_close(walk(scores, affinity, 10, 2.0, 1), expected, rtol=0, atol=tolerance)


def test_images_maps_and_programs_beside_change_no_byte():
    radius = 3
    size = (5, 8) if INTERPRETED else (9, 10)
    scores, affinity = random_case(size, radius, batch=3, maps=2 * MAPS + 1)
    together = walk(scores, affinity, radius, 10.0, 2)
    for order in ([2, 0, 1], [1]):
        found = walk(scores[order], affinity[order], radius, 10.0, 2)
        assert torch.equal(found, together[order])
    for maps in ([8], [5, 1, 7], list(range(8, -1, -1))):
        found = walk(scores[:, maps], affinity, radius, 10.0, 2)
        assert torch.equal(found, together[:, maps])
    filled_up = torch.cat([scores[:, :2], torch.zeros_like(scores[:, :3])], dim=1)
    found = walk(filled_up, affinity, radius, 10.0, 2)
    assert torch.equal(found[:, :2], together[:, :2])
    assert not found[:, 2:].any()
    assert torch.equal(walk(scores, affinity, radius, 10.0, 2, pixels=32), together)


def test_tensors_that_lie_otherwise_in_memory():
    scores, affinity = random_case((6, 7), 3)
    turned = [one.to(memory_format=torch.channels_last) for one in (scores, affinity)]
    found, expected = (walk(*pair, 3, 10.0, 2) for pair in (turned, (scores, affinity)))
    assert found.is_contiguous()
    assert torch.equal(found, expected)


def test_neither_scores_nor_affinities_are_written_to():
    given = [one.to(DEVICE) for one in random_case((5, 6), 3)]
    before = [one.clone() for one in given]
    for num_steps in (0, 1, 2):
        found = walk_in_triton(*given, 3, 1.0, num_steps)
        assert found.data_ptr() != given[0].data_ptr()
        assert all(torch.equal(*pair) for pair in zip(given, before, strict=True))
        assert torch.equal(found, given[0]) == (num_steps == 0)


@pytest.mark.parametrize("shape", [(0, 2, 5, 6), (2, 0, 5, 6), (2, 2, 0, 6), (2, 2, 5, 0)])
def test_nothing_walks_nowhere(shape):
    affinity = torch.rand(shape[0], len(pair_offsets(3)), *shape[2:])
    assert walk(torch.rand(shape), affinity, 3, 10.0, 2).shape == shape


def test_the_kernel_walks_on_a_gpu_alone():
    """An interpreter that somebody has switched on does not slow down what a CPU walks."""
    given = [one.to(DEVICE) for one in random_case((5, 6), 3)]
    expected = (walk_in_torch if INTERPRETED else walk_in_triton)(*given, 3, 10.0, 4)
    assert torch.equal(random_walk(*given, 3, 10.0, 4), expected)


@pytest.mark.skipif(not INTERPRETED, reason="counts what the interpreter executes")
def test_a_step_is_one_launch(monkeypatch):
    launch, names = GridExecutor.__call__, []

    def counted(self, *args, **named):
        names.append(self.fn.__name__)
        return launch(self, *args, **named)

    monkeypatch.setattr(GridExecutor, "__call__", counted)
    scores, affinity = random_case((4, 5), 2)
    walk(scores, affinity, 2, 10.0, 7)
    assert names == ["step"] * (1 + 7)  # The first is for degrees.


@pytest.mark.parametrize("kind", ["random", "ties", "constant"])
@pytest.mark.parametrize(("size", "radius"), [((6, 7), 4), ((3, 2), 3), ((1, 1), 2), ((1, 6), 3)])
def test_strongest_pixels_of_paths_are_those_of_torch(size, radius, kind):
    boundary = torch.rand(2, *size, generator=torch.Generator().manual_seed(0))
    if kind == "ties":
        boundary = boundary.round()
    if kind == "constant":
        boundary[:] = 0.25
    reach, height = radius - 1, size[0]
    padded = torch.nn.functional.pad(boundary, (reach, reach, 0, radius), value=1.0)
    row = padded.shape[2]
    expected = strongest_steps_in_torch(padded.flatten(1), height * row, row, radius)
    flat = padded.flatten(1).to(DEVICE)
    for block in (16, 256):
        found = strongest_steps_in_triton(flat, height * row, row, radius, block)
        assert found.dtype == expected.dtype
        assert torch.equal(found.cpu(), expected)


def test_boundaries_by_the_kernel_have_the_gradients_of_torch(monkeypatch):
    module = "wsss.refine.affinity.boundaries"
    weights = torch.rand(1, len(pair_offsets(3)), 5, 6)
    answers = []
    for way in (strongest_steps_in_torch, strongest_steps_in_triton):
        monkeypatch.setattr(f"{module}.strongest_steps", way)
        leaf = torch.rand(1, 5, 6, generator=torch.Generator().manual_seed(1)).to(DEVICE)
        affinity = boundary_affinity(leaf.requires_grad_(), 3)
        (affinity * weights.to(DEVICE)).sum().backward()
        answers.append((affinity.detach(), leaf.grad))
    torch.testing.assert_close(*answers, rtol=0, atol=0 if INTERPRETED else 1e-5)
