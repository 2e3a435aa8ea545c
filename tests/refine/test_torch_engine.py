"""What the torch engine alone has; `test_engines.py` compares it with pydensecrf."""

import pickle
import subprocess
import sys
import weakref

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from wsss.errors import WsssError
from wsss.refine import NumbaEngine, PydensecrfEngine
from wsss.refine.dense_crf import torch_engine
from wsss.refine.dense_crf.lattice import build_lattice
from wsss.refine.dense_crf.packing import packing
from wsss.refine.dense_crf.points import bilateral_features, gaussian_features
from wsss.refine.dense_crf.torch_engine import TorchEngine, mean_field
from wsss.refine.dense_crf.torch_kernel import build_kernel
from wsss.refine.dense_crf.torch_lattice import build_vertices, next_vertices
from wsss.refine.dense_crf.unaries import energies_from_labels

SIZES = [(40, 30), (1, 1), (23, 51), (40, 30), (7, 9)]


def vertices_of(features, device):
    layout = packing(features.max(axis=1))
    image = torch.zeros(features.shape[1], dtype=torch.int64, device=device)
    points = torch.from_numpy(features).to(device)
    return build_vertices(points, image, torch.ones_like(image, dtype=torch.bool), layout), layout


@pytest.mark.parametrize("kind", ["gaussian", "photograph", "noise", "flat"])
def test_lattices_are_those_of_the_compiled_engine(scene, following, kind, device):
    rng = np.random.default_rng(0)
    size = (61, 83)
    features = {
        "gaussian": lambda: gaussian_features(size, 3),
        "photograph": lambda: bilateral_features(scene(rng, size), 50, 5),
        "noise": lambda: bilateral_features(rng.integers(0, 256, (*size, 3), np.uint8), 67, 3),
        # 20 and 40 px: many points whose coordinates tie.
        "flat": lambda: bilateral_features(np.full((*size, 3), 40, np.uint8), 20, 10),
    }[kind]()
    expected = build_lattice(features)
    found, layout = vertices_of(features, device)
    np.testing.assert_array_equal(found.weights.cpu(), expected.weights)
    num_vertices = expected.num_vertices - 1
    assert len(found.keys) == num_vertices
    # Vertices have other numbers: by key here, by appearance there, from 1.
    number = np.zeros(num_vertices + 1, dtype=np.int64)
    number[expected.corners] = found.corners.cpu()
    np.testing.assert_array_equal(number[expected.corners], found.corners.cpu())
    assert len(np.unique(number[1:])) == num_vertices
    for axis, numbers in enumerate(following(expected)):
        after, exists = (one.cpu().numpy() for one in next_vertices(found.keys, axis, layout))
        other = numbers[1:]
        np.testing.assert_array_equal(exists[number[1:]], other > 0)
        np.testing.assert_array_equal(after[number[1:]][other > 0], number[other[other > 0]])


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
    engine = TorchEngine(device=str(device))
    found = engine.solve_batch(images, several)
    for image, energies, posteriors in zip(images, several, found, strict=True):
        for one, posterior, alone in zip(
            energies, posteriors, engine.solve(image, energies), strict=True
        ):
            np.testing.assert_array_equal(posterior, alone)
            assert_same(posterior, PydensecrfEngine()(image, one))


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
    engine = TorchEngine(device=str(device))
    found = engine.solve_batch(images, several)
    assert [len(posteriors) for posteriors in found] == [2, 1, 0, 3, 1]
    for image, energies, posteriors in zip(images, several, found, strict=True):
        for one, posterior in zip(energies, posteriors, strict=True):
            assert posterior.shape == one.shape
            assert posterior.dtype == np.float32
            np.testing.assert_allclose(posterior, engine(image, one), atol=1e-4)
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
    engine = TorchEngine(bilateral_sxy_px=1, bilateral_srgb=0.1, device="cpu")
    alone = [engine.solve(*pair) for pair in zip(images, energies, strict=True)]
    calls, whole = [], TorchEngine._solve_batch
    monkeypatch.setattr(
        TorchEngine, "_solve_batch", lambda *args: calls.append(len(args[1])) or whole(*args)
    )
    found = engine.solve_batch(images, energies)
    assert calls == ([16] if num_images == 16 else [17, 8, 9])
    np.testing.assert_array_equal(found, alone)


class SmallDevice:
    """Mean field on a device whose memory has room for a number of points at a time."""

    def __init__(self, num_points):
        self.num_points = num_points
        self.asked = []
        self.held = []

    def __call__(self, energies, *more):
        self.asked.append(len(energies))
        # What a failed attempt had there must be gone before the next one.
        assert [tensor() for tensor in self.held] == [None] * len(self.held)
        self.held.append(weakref.ref(energies))
        if len(energies) > self.num_points:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return mean_field(energies, *more)


def test_a_batch_that_does_not_fit_into_memory_is_parted(scene, unaries, monkeypatch):
    rng = np.random.default_rng(0)
    images = [scene(rng, size) for size in ((8, 10), (12, 12), (6, 4), (10, 10), (4, 6))]
    energies = [[unaries(rng, 2, image.shape[:2])] for image in images]
    engine = TorchEngine(device="cpu")
    alone = [engine.solve(*pair)[0] for pair in zip(images, energies, strict=True)]
    device = SmallDevice(150)
    monkeypatch.setattr(torch_engine, "mean_field", device)
    found = engine.solve_batch(images, energies)
    assert device.asked == [372, 224, 80, 144, 148]
    for (one,), other in zip(found, alone, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_image_that_does_not_fit_into_memory_is_an_error(scene, unaries, monkeypatch):
    rng = np.random.default_rng(0)
    monkeypatch.setattr(torch_engine, "mean_field", SmallDevice(100))
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


@pytest.mark.parametrize("num_points", [50, 400])
def test_an_iteration_waits_for_nothing(num_points):
    rng = np.random.default_rng(0)
    kernels = []
    for dimensions in (2, 5):
        features = rng.uniform(0, 9, (dimensions, num_points)).astype(np.float32)
        kernels.append(build_kernel(*vertices_of(features, "cpu"), compat=3))
    energies = torch.rand(num_points, 1, 3)
    names = []
    for num_iterations in (1, 2):
        with Calls() as calls, torch.no_grad():
            mean_field(energies, None, tuple(kernels), num_iterations)
        names.append(calls.names)
    added = names[1][len(names[0]) :]
    launching = [name for name in added if not name.endswith(("view", "view_as"))]
    # Splat, d + 1 blurs and slice of two kernels; add, subtract, soft-max.
    assert len(launching) == (3 + 2) + (6 + 2) + 3
    assert not {"aten::_local_scalar_dense", "aten::nonzero", "aten::_to_copy"} & set(added)


@pytest.mark.parametrize("device", ["nonsense", "cuda:77", "meta"])
def test_a_device_that_is_not_there_is_an_error(device):
    image, energies = np.zeros((4, 5, 3), np.uint8), np.zeros((2, 4, 5), np.float32)
    with pytest.raises(WsssError, match=f"^device={device}: .*Leave it out"):
        TorchEngine(device=device)(image, energies)


def test_processes_of_the_other_engines_start_without_torch():
    code = "import sys, wsss.refine; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
