"""What the torch engine alone has; `test_engines.py` compares it with pydensecrf."""

import pickle
import subprocess
import sys
import weakref
from collections import Counter

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from wsss.errors import WsssError
from wsss.refine import NumbaEngine, PydensecrfEngine
from wsss.refine.dense_crf.numba_kernels.lattice import build_lattice as build_reference
from wsss.refine.dense_crf.on_device import solver
from wsss.refine.dense_crf.on_device.grouping import groups_of
from wsss.refine.dense_crf.on_device.lattice import build_lattice
from wsss.refine.dense_crf.on_device.mean_field import last_sums
from wsss.refine.dense_crf.on_device.upload import Unary, levels, upload_images
from wsss.refine.dense_crf.packing import packing
from wsss.refine.dense_crf.points import bilateral_features
from wsss.refine.dense_crf.torch_engine import TorchEngine
from wsss.refine.dense_crf.unaries import energies_from_labels

VIEWS = {"alias", "arange", "numpy_T", "reshape", "select", "slice", "unbind", "unsqueeze", "view"}
SIZES = [(40, 30), (1, 1), (23, 51), (40, 30), (7, 9)]


def operations_on(device):
    return TorchEngine(device=str(device))._operations(device)


@pytest.mark.parametrize("kind", ["gaussian", "photograph", "noise", "flat"])
def test_lattices_are_those_of_the_compiled_engine(scene, following, kind, device):
    rng = np.random.default_rng(0)
    size = (61, 83)
    image, sxy, srgb = {
        "gaussian": lambda: (np.zeros((*size, 3), np.uint8), 3, 1),
        "photograph": lambda: (scene(rng, size), 50, 5),
        "noise": lambda: (rng.integers(0, 256, (*size, 3), np.uint8), 67, 3),
        # 20 and 40 px: many points whose coordinates tie.
        "flat": lambda: (np.full((*size, 3), 40, np.uint8), 20, 10),
    }[kind]()
    dimensions = 2 if kind == "gaussian" else 5
    features = bilateral_features(image, sxy, srgb)[:dimensions]
    expected = build_reference(features)
    sent, layout = upload_images([image], device), packing(features.max(axis=1))
    operations, table = operations_on(device), levels([size], sxy, srgb, device)
    keys, weights = operations.locate(sent, table, layout, dimensions)
    num_pixels = size[0] * size[1]
    np.testing.assert_array_equal(weights.T[:num_pixels].cpu(), expected.weights[:num_pixels])
    found = build_lattice(keys, weights, layout, 1, operations)
    assert found.num_vertices == expected.num_vertices
    # Vertices have other numbers: by key here, by appearance there, from 1.
    corners = (found.corners if operations.rows_first else found.corners.T).cpu().numpy()
    number = np.zeros(expected.num_vertices, dtype=np.int64)
    number[expected.corners] = corners
    np.testing.assert_array_equal(number[expected.corners], corners)
    assert len(np.unique(number)) == expected.num_vertices
    for axis, numbers in enumerate(following(expected)):
        before, after = found.neighbours[axis].cpu().numpy().T
        np.testing.assert_array_equal(after[number], number[numbers])
        there = numbers > 0
        np.testing.assert_array_equal(before[number[numbers[there]]], number[there])
        assert np.count_nonzero(before) == there.sum()


@pytest.mark.parametrize("srgb", [3, 13])
@pytest.mark.parametrize("kind", ["scene", "constant", "noise"])
def test_posteriors_are_those_in_float64(scene, unaries, in_float64, kind, srgb, device):
    rng = np.random.default_rng(0)
    size = (61, 83)
    image = {
        "scene": lambda: scene(rng, size),
        "constant": lambda: np.full((*size, 3), 90, np.uint8),
        "noise": lambda: rng.integers(0, 256, (*size, 3), np.uint8),
    }[kind]()
    energies = unaries(rng, 3, size)
    options = {"gaussian_sxy_px": 1, "bilateral_srgb": srgb}
    exact = in_float64(image, energies, options)
    found = TorchEngine(**options, device=str(device))(image, energies)
    np.testing.assert_allclose(found, exact, atol=2e-4)
    np.testing.assert_array_equal(found.argmax(axis=0), exact.argmax(axis=0))


def test_a_batch_has_the_posteriors_of_its_images(scene, unaries, assert_same, device):
    rng = np.random.default_rng(0)
    images = [scene(rng, size) for size in SIZES]
    several = [[unaries(rng, 3, size), unaries(rng, 3, size)] for size in SIZES]
    one_by_one = TorchEngine(device=str(device))
    alone = [one_by_one.solve(*pair) for pair in zip(images, several, strict=True)]
    for order in ([0, 1, 2, 3, 4], [4, 2, 0, 1, 3], [2, 3]):
        engine = TorchEngine(device=str(device), group_px=10**6)
        found = engine.solve_batch([images[i] for i in order], [several[i] for i in order])
        for number, posteriors in zip(order, found, strict=True):
            np.testing.assert_array_equal(posteriors, alone[number])
    for image, energies, posteriors in zip(images, several, alone, strict=True):
        for one, posterior in zip(energies, posteriors, strict=True):
            assert_same(posterior, PydensecrfEngine()(image, one))


def test_labels_and_confidence_are_those_of_the_posteriors(scene, unaries, device):
    rng = np.random.default_rng(0)
    images = [scene(rng, size) for size in SIZES]
    several = [
        [unaries(rng, 2, SIZES[0]), energies_from_labels(images[0][..., 0] % 3, 21)],
        [unaries(rng, 1, SIZES[1])],
        [],
        [unaries(rng, 30, SIZES[3]), np.ones((3, *SIZES[3]), np.float32)],
        [unaries(rng, 256, SIZES[4])],
    ]
    engine = TorchEngine(device=str(device), group_px=10**6, num_iterations=3)
    posteriors = engine.solve_batch(images, several)
    for with_confidence in (False, True):
        found = engine.label_batch(images, several, with_confidence)
        assert [len(one) for one in found] == [2, 1, 0, 2, 1]
        for labels, of_image in zip(found, posteriors, strict=True):
            for one, posterior in zip(labels, of_image, strict=True):
                assert one.labels.dtype == np.uint8
                np.testing.assert_array_equal(one.labels, posterior.argmax(axis=0))
                if with_confidence:
                    np.testing.assert_array_equal(one.confidence, posterior.max(axis=0))
                else:
                    assert one.confidence is None
    with pytest.raises(ValueError, match="257 labels"):
        engine.label(images[1], [np.ones((257, 1, 1), np.float32)])


def test_images_may_have_other_numbers_of_labels_and_unaries(scene, unaries, assert_same, device):
    rng = np.random.default_rng(0)
    images = [scene(rng, size) for size in SIZES]
    labels = rng.integers(0, 3, SIZES[0], dtype=np.uint8)
    several = [
        [unaries(rng, 2, SIZES[0]), energies_from_labels(labels, 21)],
        [unaries(rng, 1, SIZES[1])],
        [],
        [unaries(rng, 30, SIZES[3]), unaries(rng, 4, SIZES[3]), unaries(rng, 3, SIZES[3])],
        [unaries(rng, 81, SIZES[4])],
    ]
    engine = TorchEngine(device=str(device), group_px=10**6)
    found = engine.solve_batch(images, several)
    assert [len(posteriors) for posteriors in found] == [2, 1, 0, 3, 1]
    for image, energies, posteriors in zip(images, several, found, strict=True):
        for one, posterior in zip(energies, posteriors, strict=True):
            assert posterior.shape == one.shape
            assert posterior.dtype == np.float32
            np.testing.assert_array_equal(posterior, engine(image, one))
            assert_same(posterior, PydensecrfEngine()(image, one))


def test_nothing_to_do_is_done():
    image = np.zeros((4, 5, 3), dtype=np.uint8)
    assert TorchEngine(device="cpu").solve_batch([], []) == []
    assert TorchEngine(device="cpu").solve_batch([image, image], [[], []]) == [[], []]
    with pytest.raises(ValueError, match="shorter"):
        TorchEngine(device="cpu").solve_batch([image, image], [[]])


@pytest.mark.parametrize("num_images", [16, 17])
def test_a_batch_whose_keys_are_full_is_parted(scene, unaries, num_images, monkeypatch):
    rng = np.random.default_rng(0)
    size = (11, 13)
    images = [scene(rng, size) for _ in range(num_images)]
    for image in images:
        image[0, 0] = 255
    energies = [[unaries(rng, 2, size)] for _ in images]
    # Keys of 60 bits, and four for sixteen images: the sign is in use.
    assert packing(bilateral_features(images[0], 1, 0.1).max(axis=1)).num_bits == 60
    kernels = {"bilateral_sxy_px": 1, "bilateral_srgb": 0.1}
    engine = TorchEngine(**kernels, device="cpu", group_px=10**6)
    alone = [engine.solve(*pair) for pair in zip(images, energies, strict=True)]
    calls, whole = [], solver.solve_group
    monkeypatch.setattr(
        solver, "solve_group", lambda *args: calls.append(len(args[0])) or whole(*args)
    )
    found = engine.solve_batch(images, energies)
    assert calls == ([16] if num_images == 16 else [8, 9])
    assert engine.halvings == 0
    np.testing.assert_array_equal(found, alone)


def test_images_are_solved_together_by_channels_and_pixels():
    images = [np.zeros((2, width, 3), np.uint8) for width in (5, 5, 5, 30, 5, 5)]
    energies = np.zeros((9, 2, 5), np.float32)
    counts = [(2,), (5,), (), (3,), (7,), (2, 2)]
    unaries = [[Unary(energies, list(range(n)), np.arange(9)) for n in own] for own in counts]
    assert groups_of(images, unaries, 1000, fills_up=True) == [[0, 1, 3], [4], [5]]
    assert groups_of(images, unaries, 20, fills_up=True) == [[0, 1], [3], [4], [5]]
    assert groups_of(images, unaries, 1000, fills_up=False) == [[0], [1], [3], [4], [5]]


class SmallDevice:
    """Mean field on a device whose memory has room for a number of points at a time."""

    def __init__(self, num_points):
        self.num_points = num_points
        self.asked = []
        self.held = []

    def __call__(self, problem, kernels, *more):
        self.asked.append(kernels.num_points)
        # What a failed attempt had there must be gone before the next one.
        assert [tensor() for tensor in self.held] == [None] * len(self.held)
        self.held.append(weakref.ref(problem.dense[0].energies))
        if kernels.num_points > self.num_points:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return last_sums(problem, kernels, *more)


def test_a_batch_that_does_not_fit_into_memory_is_parted(scene, unaries, monkeypatch):
    rng = np.random.default_rng(0)
    images = [scene(rng, size) for size in ((8, 10), (12, 12), (6, 4), (10, 10), (4, 6))]
    energies = [[unaries(rng, 2, image.shape[:2])] for image in images]
    engine = TorchEngine(device="cpu", group_px=10**6)
    alone = [engine.solve(*pair)[0] for pair in zip(images, energies, strict=True)]
    device = SmallDevice(150)
    monkeypatch.setattr(solver, "last_sums", device)
    found = engine.solve_batch(images, energies)
    assert device.asked == [372, 224, 80, 144, 148]
    assert engine.halvings == 2
    for (one,), other in zip(found, alone, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_image_that_does_not_fit_into_memory_is_an_error(scene, unaries, monkeypatch):
    rng = np.random.default_rng(0)
    monkeypatch.setattr(solver, "last_sums", SmallDevice(100))
    engine = TorchEngine(device="cpu")
    image, energies = scene(rng, (12, 10)), unaries(rng, 2, (12, 10))
    with pytest.raises(WsssError, match=r"12 × 10 pixels.*`max_side_px`") as caught:
        engine(image, energies)
    assert caught.value.__context__ is None  # It would hold the device's memory.


def test_keys_of_64_bits_are_told_apart(scene, unaries, assert_same):
    rng = np.random.default_rng(0)
    image, energies = scene(rng, (20, 30)), unaries(rng, 2, (20, 30))
    image[:2, :2] = 255
    kernels = {"bilateral_sxy_px": 1, "bilateral_srgb": 0.06}
    assert packing(bilateral_features(image, 1, 0.06).max(axis=1)).num_bits == 64
    found = TorchEngine(**kernels, device="cpu")(image, energies)
    assert_same(found, NumbaEngine(**kernels)(image, energies))


def test_the_same_call_gives_the_same_bytes(scene, unaries):
    rng = np.random.default_rng(0)
    image, energies = scene(rng, (45, 52)), unaries(rng, 3, (45, 52))
    engine = pickle.loads(pickle.dumps(TorchEngine(device="cpu")))
    first = engine(image, energies)
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert engine(image, energies).tobytes() == first.tobytes()
    finally:
        torch.set_num_threads(threads)


class Calls(TorchDispatchMode):
    """Counts operations by name."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func._schema.name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("size", [(5, 10), (40, 60)])
def test_an_iteration_waits_for_nothing(size):
    # A flat image has vertices of many points, whose rows are in pieces.
    image, energies = np.zeros((*size, 3), np.uint8), np.random.default_rng(0).random((3, *size))
    names = []
    for num_iterations in (0, 1, 2):
        engine = TorchEngine(num_iterations=num_iterations, device="cpu")
        engine(image, energies.astype(np.float32))
        with Calls() as calls:
            engine(image, energies.astype(np.float32))
        names.append(Counter(calls.names))
    added = names[2] - names[1]
    launching = {
        name: count for name, count in added.items() if name.removeprefix("aten::") not in VIEWS
    }
    assert not {"aten::_local_scalar_dense", "aten::nonzero", "aten::_to_copy"} & set(launching)
    # Three classes of rows, their pieces, six blurs and two slices; the others are point by point.
    assert launching["aten::embedding_bag"] == 4 + 6 + 2
    assert sum(launching.values()) <= 36


@pytest.mark.parametrize("device", ["nonsense", "cuda:77", "meta"])
def test_a_device_that_is_not_there_is_an_error(device):
    image, energies = np.zeros((4, 5, 3), np.uint8), np.zeros((2, 4, 5), np.float32)
    with pytest.raises(WsssError, match=f"^device={device}: .*Leave it out"):
        TorchEngine(device=device)(image, energies)


def test_processes_of_the_other_engines_start_without_torch():
    code = "import sys, wsss.refine; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_cpu_needs_no_triton():
    code = """
import sys
import numpy as np
from wsss.refine import NumbaEngine
from wsss.refine.dense_crf.torch_engine import TorchEngine
image, energies = np.zeros((4, 5, 3), np.uint8), np.random.rand(2, 4, 5).astype(np.float32)
TorchEngine(num_iterations=1, device="cpu")(image, energies)
sys.exit("triton" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_triton_where_it_does_not_run_is_an_error():
    engine = TorchEngine(device="cpu", kernels="triton")
    with pytest.raises(WsssError, match=r"^kernels=triton: .*CUDA; the device is cpu"):
        engine.check()
    with pytest.raises(WsssError, match=r"^kernels=numba: .*auto, triton, torch"):
        TorchEngine(kernels="numba")
    with pytest.raises(WsssError, match="group_px"):
        TorchEngine(group_px=0)
