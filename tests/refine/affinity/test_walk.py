"""The walk against powers of the dense matrix, and its limits."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from wsss.refine.affinity.boundaries import boundary_affinity
from wsss.refine.affinity.paths import pair_offsets
from wsss.refine.affinity.walk import random_walk


def random_case(size, radius, device, batch=2, maps=3):
    torch.manual_seed(0)
    scores = torch.rand(batch, maps, *size, dtype=torch.float64)
    affinity = torch.rand(batch, len(pair_offsets(radius)), *size, dtype=torch.float64)
    return scores.to(device), affinity.to(device)


@pytest.mark.parametrize(("size", "radius"), [((8, 11), 5), ((11, 6), 3), ((2, 9), 5), ((7, 2), 4)])
@pytest.mark.parametrize("num_steps", [1, 7, 256])
def test_the_walk_is_a_power_of_the_dense_matrix(dense_transition, device, size, radius, num_steps):
    scores, affinity = random_case(size, radius, device)
    found = random_walk(scores, affinity, radius, exponent=3, num_steps=num_steps)
    for image in range(2):
        matrix = dense_transition(affinity[image], radius, 3)
        power = np.linalg.matrix_power(matrix, num_steps)
        expected = scores[image].flatten(1).cpu().numpy() @ power.T
        np.testing.assert_allclose(found[image].flatten(1).cpu(), expected, rtol=0, atol=1e-10)


def test_no_steps_change_nothing_and_give_a_copy(device):
    scores, affinity = random_case((5, 6), 3, device)
    found = random_walk(scores, affinity, 3, num_steps=0)
    assert torch.equal(found, scores)
    assert found.data_ptr() != scores.data_ptr()


def test_a_constant_stays_and_no_score_leaves_the_range(device):
    scores, affinity = random_case((9, 9), 4, device)
    scores[:, 0] = 0.7
    found = random_walk(scores, affinity, 4)
    torch.testing.assert_close(found[:, 0], scores[:, 0], rtol=1e-12, atol=0)
    assert (found.amax(dim=(2, 3)) <= scores.amax(dim=(2, 3)) + 1e-12).all()
    assert (found.amin(dim=(2, 3)) >= scores.amin(dim=(2, 3)) - 1e-12).all()


def test_a_perfect_boundary_keeps_scores_on_their_side(dense_transition, device):
    boundary = torch.zeros(1, 12, 13, dtype=torch.float64, device=device)
    boundary[:, :, 6] = 1
    scores = torch.zeros(1, 1, 12, 13, dtype=torch.float64, device=device)
    scores[..., 3, 2] = 1
    found = random_walk(scores, boundary_affinity(boundary, 5), 5, num_steps=1024)[0, 0]
    assert (found[:, :6] > 0).all()
    assert found[:, 6:].abs().max() == 0
    # The mean weighted by degree is what a walk keeps.
    affinity = boundary_affinity(boundary, 5)[0]
    matrix = dense_transition(affinity, 5, 10)
    degree = 1 / matrix.diagonal().reshape(12, 13)
    kept = float((found.cpu() * torch.from_numpy(degree)).sum())
    assert kept == pytest.approx(degree[3, 2], rel=1e-9)


def test_exponents_at_their_limits(device):
    scores, affinity = random_case((6, 6), 3, device)
    # A large one leaves pixels alone; 0 makes all neighbours alike, whatever their affinity.
    alone = random_walk(scores, affinity, 3, exponent=1e6)
    torch.testing.assert_close(alone, scores)
    alike = random_walk(scores, affinity, 3, exponent=0, num_steps=9)
    other = random_walk(scores, torch.ones_like(affinity), 3, exponent=7, num_steps=9)
    torch.testing.assert_close(alike, other, rtol=0, atol=0)


def test_an_image_has_the_same_bytes_alone_and_in_a_batch(device):
    scores, affinity = (tensor.float() for tensor in random_case((10, 12), 5, device, batch=3))
    together = random_walk(scores, affinity, 5)
    alone = random_walk(scores[1:2], affinity[1:2], 5)
    assert torch.equal(together[1:2], alone)


@pytest.mark.parametrize("shape", [(0, 2, 5, 6), (2, 0, 5, 6), (2, 2, 0, 6), (2, 2, 5, 0)])
def test_nothing_walks_nowhere(device, shape):
    affinity = torch.rand(shape[0], len(pair_offsets(3)), *shape[2:], device=device)
    assert random_walk(torch.rand(shape, device=device), affinity, 3).shape == shape


def test_a_walk_on_a_cpu_needs_no_triton():
    code = """
import sys
import torch
from wsss.refine.affinity import boundary_affinity, random_walk
random_walk(torch.rand(1, 2, 4, 5), boundary_affinity(torch.rand(1, 4, 5), 3), 3)
sys.exit("triton" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("num_steps", [1, 2, 9])
def test_a_walk_holds_a_weight_for_each_pair_and_two_maps_whatever_its_steps(
    peak_memory, num_steps
):
    """An image of 1000 × 1000: a dense matrix of its map would take 15 GB, of pairs alone 9 MB."""
    radius, maps, pixels = 5, 3, 250 * 250
    scores = torch.rand(1, maps, 250, 250)
    affinity = torch.rand(1, len(pair_offsets(radius)), 250, 250)
    found = peak_memory(lambda: random_walk(scores, affinity, radius, num_steps=num_steps))
    weights = affinity.nbytes
    assert weights < 9e6
    # Beside them: scores before and after a step, degrees and their inverses, ones, and a product.
    assert weights < found <= weights + (2 * maps + 4) * pixels * 4


def test_peak_memory_counts_what_is_held_at_once(peak_memory):
    def one_after_the_other():
        for _ in range(9):
            torch.ones(1000).exp().view(10, 100).add_(1)

    def together():
        return [torch.ones(1000) for _ in range(9)]

    assert peak_memory(one_after_the_other) == 2 * 4000
    assert peak_memory(together) == 9 * 4000
