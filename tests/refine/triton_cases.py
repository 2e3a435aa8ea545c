"""Triton's kernels against the numba engine and against plain torch: interpreted, or on a GPU.

`test_triton.py` runs this file in a process of its own: Triton is to be told to interpret before it
is imported. Programs take about 20 ms each there, so that images are small and iterations few.
"""

import os
from collections import Counter

import numpy as np
import pytest
import torch
from triton.runtime.interpreter import GridExecutor

from wsss.refine import NumbaEngine
from wsss.refine.dense_crf.on_device.lattice import build_lattice
from wsss.refine.dense_crf.on_device.operations import Slice
from wsss.refine.dense_crf.on_device.rows import Rows, Splat
from wsss.refine.dense_crf.on_device.solver import colour_packing, positions_packing
from wsss.refine.dense_crf.on_device.torch_operations import TORCH
from wsss.refine.dense_crf.on_device.upload import (
    Unary,
    levels,
    send,
    upload_images,
    upload_unaries,
)
from wsss.refine.dense_crf.torch_engine import TorchEngine
from wsss.refine.dense_crf.triton_kernels.operations import TRITON, TritonOperations
from wsss.refine.dense_crf.unaries import energies_from_labels, shared_channels

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = torch.device("cpu" if INTERPRETED else "cuda")
IRN = {"bilateral_sxy_px": 50, "bilateral_srgb": 5}
SIZES = [(9, 14) if INTERPRETED else (17, 22), (1, 1), (1, 9), (7, 1), (3, 5), (8, 7)]


def engine_of(**options):
    return TorchEngine(**{"group_px": 10**6, **options}, device=str(DEVICE), kernels="triton")


def kept(splat):
    """A splat with the weights that floats sum exactly, and the same for rows first."""
    rounded = [one._replace(weights=(one.weights * 64).round() / 64) for one in splat.short]
    pieces = splat.pieces._replace(weights=(splat.pieces.weights * 64).round() / 64)
    planar = splat._replace(short=tuple(rounded), pieces=pieces)
    turned = [Rows(one.points.T.contiguous(), one.weights.T.contiguous(), one.targets)
              for one in (*rounded, pieces)]  # fmt: skip
    return planar, Splat(tuple(turned[:2]), turned[2], *splat[2:])


def located(images, sxy=50, srgb=5, dimensions=5, operations=TRITON):
    sent = upload_images(images, DEVICE)
    engine = TorchEngine(bilateral_sxy_px=sxy, bilateral_srgb=srgb)
    layout = colour_packing(images, engine.settings)
    if dimensions == 2:
        height, width = np.max(sent.sizes, axis=0)
        layout = positions_packing((height, width), sxy)
    table = levels(sent.sizes, sxy, srgb, DEVICE)
    return (*operations.locate(sent, table, layout, dimensions), layout)


@pytest.mark.parametrize("dimensions", [2, 5])
@pytest.mark.parametrize(("sxy", "srgb"), [(50, 5), (67, 3), (20, 10), (0.5, 0.04)])
def test_points_are_located_bit_by_bit(image_of, dimensions, sxy, srgb):
    rng = np.random.default_rng(0)
    kinds = ["scene", "constant", "noise", "scene", "noise", "constant"]
    images = [image_of(kind, rng, size) for kind, size in zip(kinds, SIZES, strict=True)]
    if srgb < 1:
        images = images[:1]  # More would need more than 64 bits.
    found = located(images, sxy, srgb, dimensions)
    expected = located(images, sxy, srgb, dimensions, TORCH)
    torch.testing.assert_close(found[0], expected[0], rtol=0, atol=0)
    torch.testing.assert_close(found[1], expected[1], rtol=0, atol=0)


@pytest.mark.parametrize("channels", [1, 20] if INTERPRETED else [1, 3, 20])
@pytest.mark.parametrize("kind", ["scene", "constant", "noise"])
def test_sums_and_blurs_are_those_of_torch_bit_by_bit(image_of, kind, channels):
    rng = np.random.default_rng(0)
    keys, weights, layout = located([image_of(kind, rng, (13, 18)), image_of(kind, rng, (9, 40))])
    lattice = build_lattice(keys, weights, layout, 1, TRITON)
    planar, turned = kept(lattice.splat)
    values = torch.from_numpy(rng.integers(-64, 65, (keys.shape[1], channels)) / 64).float()
    values = values.to(DEVICE)
    for few in (TRITON, TritonOperations(64 if kind == "constant" else 1024)):
        sums = few.splat(values, planar, lattice.num_vertices)
        expected = TORCH.splat(values, turned, lattice.num_vertices)
        torch.testing.assert_close(sums, expected, rtol=0, atol=0)
    if kind == "constant":
        assert len(planar.long_targets) > 0
    sums[1:] = torch.randn(len(sums) - 1, channels, device=DEVICE)
    for axis, neighbours in enumerate(lattice.neighbours):
        rows = neighbours[: len(neighbours) - axis]
        found, expected = TRITON.blur(sums, rows), TORCH.blur(sums, rows)
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize("counts", [[(2, 2)], [(3, 1), (2, 2)], [(2, 2), (21, 2)]])
def test_an_update_is_that_of_torch(unaries, counts):
    rng = np.random.default_rng(0)
    sizes = [(5, 9), (4, 4)][: len(counts)]
    images = upload_images([np.zeros((*size, 3), np.uint8) for size in sizes], DEVICE)
    several = [
        [Unary(one, *shared_channels(one)) for one in [unaries(rng, k, size) for k in own if k > 1]]
        for own, size in zip(counts, sizes, strict=True)
    ]
    labels = energies_from_labels(rng.integers(0, 2, sizes[0], np.uint8), 9)
    several[0][0] = Unary(labels, *shared_channels(labels))
    num_points, num_vertices = images.starts[-1], 30
    near, alike = (
        Slice(
            send(rng.integers(0, num_vertices, (size, num_points), np.int32), DEVICE),
            torch.rand(size, num_points, device=DEVICE),
        )
        for size in (3, 6)
    )
    sent = upload_unaries(several, DEVICE)
    problem = TRITON.prepared(images, sent, (near, alike))
    sums = tuple(
        torch.randn(size, problem.num_channels, device=DEVICE) for size in (num_vertices, 40)
    )
    planes = TRITON.posteriors(problem, sums)
    found = TRITON.labels(problem, sums, with_confidence=True)
    values = torch.full((num_points, problem.num_channels), 7.0, device=DEVICE)
    TRITON.update(problem, sums, values)
    for image, places in enumerate(sent.places):
        own = slice(images.starts[image], images.starts[image] + np.prod(sizes[image]))
        for number, (start, count, out) in enumerate(places):
            width = slice(number * sent.width, number * sent.width + count - 1)
            logits = torch.zeros(own.stop - own.start, count, dtype=torch.float64, device=DEVICE)
            for part, one in zip((near, alike), sums, strict=True):
                rows = one[part.corners[:, own].long()][..., width].double()
                logits[:, 1:] += (part.weights[:, own, None].double() * rows).sum(dim=0)
            size = own.stop - own.start
            logits -= sent.energies[start : start + count * size].view(count, size).T
            copies = sent.copies[image, number, :count].double()
            likely = (logits + copies.log()).softmax(dim=1) / copies
            plane = planes[start : start + count * size].view(count, size).T
            torch.testing.assert_close(plane.double(), likely, rtol=0, atol=2e-6)
            difference = (likely[:, 1:] - likely[:, :1]).float()
            torch.testing.assert_close(values[own, width], difference, rtol=0, atol=4e-6)
            best, channel = plane.max(dim=1)
            assert torch.equal(found.confidence[out : out + size], best)
            label = sent.labels[image, number][channel].to(torch.uint8)
            assert torch.equal(found.labels[out : out + size], label)
        # Padding is left alone, a unary that is not there as well.
        assert (values[own.stop : images.starts[image + 1]] == 7).all()


@pytest.mark.parametrize("kind", ["scene", "constant", "noise"])
def test_labels_are_those_of_the_compiled_engine(image_of, unaries, assert_same, kind):
    rng = np.random.default_rng(0)
    size, num_iterations = ((17, 22), 4) if INTERPRETED else ((31, 42), 10)
    image, energies = image_of(kind, rng, size), unaries(rng, 3, size)
    options = {**IRN, "num_iterations": num_iterations}
    found = engine_of(**options)(image, energies)
    assert_same(found, NumbaEngine(**options)(image, energies))


@pytest.mark.skipif(not INTERPRETED, reason="counts what the interpreter executes")
def test_an_iteration_takes_nine_launches(image_of, unaries, monkeypatch):
    launch, counts = GridExecutor.__call__, []
    image = image_of("constant", np.random.default_rng(0), (8, 12))
    energies = unaries(np.random.default_rng(0), 2, (8, 12))
    engine_of(num_iterations=0)(image, energies)  # keeps the lattice of positions
    for num_iterations in (1, 2):
        names = Counter()

        def counted(self, *args, names=names, **named):
            names[self.fn.__name__] += 1
            return launch(self, *args, **named)

        monkeypatch.setattr(GridExecutor, "__call__", counted)
        engine_of(num_iterations=num_iterations)(image, energies)
        counts.append(names)
    assert counts[1] - counts[0] == {"update": 1, "splat": 1, "join_pieces": 1, "blur": 6}


def test_batches_in_any_order_have_the_bytes_of_their_images(image_of, unaries, assert_same):
    rng = np.random.default_rng(0)
    kinds = ["scene", "noise", "noise", "scene", "constant", "noise"]
    images = [image_of(kind, rng, size) for kind, size in zip(kinds, SIZES, strict=True)]
    labels = rng.integers(0, 3, SIZES[0], dtype=np.uint8)
    several = [
        [unaries(rng, 2, SIZES[0]), energies_from_labels(labels, 21)],
        [unaries(rng, 81, SIZES[1])],
        [unaries(rng, 1, SIZES[2])],
        [unaries(rng, 4, SIZES[3]), unaries(rng, 5, SIZES[3])],
        [unaries(rng, 3, SIZES[4])],
        [unaries(rng, 9, SIZES[5])],
    ]
    count = 4 if INTERPRETED else 6
    images, several = images[:count], several[:count]
    options = {**IRN, "num_iterations": 2}
    alone = [engine_of(**options).solve(*pair) for pair in zip(images, several, strict=True)]
    for image, energies, posteriors in zip(images, several, alone, strict=True):
        for one, posterior in zip(energies, posteriors, strict=True):
            assert_same(posterior, NumbaEngine(**options)(image, one))
    for order in ([3, 0, 2, 1], range(count)[::-1]):
        found = engine_of(**options).solve_batch(
            [images[number] for number in order], [several[number] for number in order]
        )
        for number, posteriors in zip(order, found, strict=True):
            for one, other in zip(posteriors, alone[number], strict=True):
                assert one.tobytes() == other.tobytes()


def test_channels_that_fill_up_and_sizes_of_programs_change_no_byte(image_of, unaries, monkeypatch):
    rng = np.random.default_rng(0)
    images = [image_of(kind, rng, (5, 6)) for kind in ("scene", "constant", "scene")]
    several = [[unaries(rng, count, (5, 6))] for count in (2, 3, 5)]
    options = {**IRN, "num_iterations": 2}
    alone = [engine_of(**options).solve(*pair)[0] for pair in zip(images, several, strict=True)]
    found = engine_of(**options).solve_batch(images, several)  # all with four differences
    monkeypatch.setattr(TRITON, "values", 64)
    small = engine_of(**options).solve_batch(images[::-1], several[::-1])[::-1]
    for one, (filled,), (other,) in zip(alone, found, small, strict=True):
        assert one.tobytes() == filled.tobytes() == other.tobytes()


def test_labels_and_confidence_are_those_of_the_posteriors(image_of, unaries):
    rng = np.random.default_rng(0)
    images = [image_of("scene", rng, size) for size in SIZES[:2]]
    several = [
        [unaries(rng, 3, SIZES[0]), energies_from_labels(images[0][..., 0] % 3, 21)],
        [unaries(rng, 2, SIZES[1])],
    ]
    engine = engine_of(**IRN, num_iterations=2)
    posteriors = engine.solve_batch(images, several)
    for with_confidence in (False, True):
        found = engine.label_batch(images, several, with_confidence)
        for labels, of_image in zip(found, posteriors, strict=True):
            for one, posterior in zip(labels, of_image, strict=True):
                np.testing.assert_array_equal(one.labels, posterior.argmax(axis=0))
                if with_confidence:
                    np.testing.assert_array_equal(one.confidence, posterior.max(axis=0))
