"""Every engine against pydensecrf, Krähenbühl's own code, and against properties of the CRF."""

import sys
from functools import partial

import cv2
import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image

from wsss.errors import WsssError
from wsss.refine import NumbaEngine, PydensecrfEngine
from wsss.refine.dense_crf.packing import packing
from wsss.refine.dense_crf.points import bilateral_features
from wsss.refine.dense_crf.torch_engine import TorchEngine
from wsss.refine.dense_crf.unaries import energies_from_labels, energies_from_softmax

ENGINES = [
    pytest.param(NumbaEngine, id="numba"),
    pytest.param(partial(TorchEngine, device="cpu"), id="torch-cpu"),
    *(
        pytest.param(
            partial(TorchEngine, device="cuda", kernels=kernels),
            id=f"torch-cuda-{kernels}",
            marks=[
                pytest.mark.gpu,
                pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
            ],
        )
        for kernels in ("triton", "torch")
    ),
]

IRN = {"gaussian_sxy_px": 3, "bilateral_sxy_px": 50, "bilateral_srgb": 5}
DEEPLAB = {
    "gaussian_sxy_px": 1,
    "bilateral_sxy_px": 67,
    "bilateral_srgb": 3,
    "bilateral_compat": 4,
}


@pytest.fixture(params=ENGINES)
def engine_type(request):
    return request.param


@pytest.mark.parametrize("num_iterations", [1, 10, 30])
@pytest.mark.parametrize("kernels", [{}, IRN, DEEPLAB], ids=["default", "irn", "deeplab"])
@pytest.mark.parametrize("kind", ["scene", "constant", "checkerboard", "noise"])
def test_posteriors_are_those_of_pydensecrf(
    engine_type, image_of, unaries, assert_same, in_float64, kind, kernels, num_iterations
):
    rng = np.random.default_rng(0)
    size = (61, 83)
    image, energies = image_of(kind, rng, size), unaries(rng, 3, size)
    options = {**kernels, "num_iterations": num_iterations}
    found = engine_type(**options)(image, energies)
    expected = PydensecrfEngine(**options)(image, energies)
    if kind == "scene":
        np.testing.assert_array_equal(found.argmax(axis=0), expected.argmax(axis=0))
    if (found.argmax(axis=0) != expected.argmax(axis=0)).sum() > 1:
        # At near ties pydensecrf's own rounding decides: an engine may be closer to the truth.
        exact = in_float64(image, energies, options)
        assert np.abs(found - exact).max() < np.abs(expected - exact).max() <= 1e-3
        expected = exact
    assert_same(found, expected)


@pytest.mark.parametrize("num_iterations", [1, 10, 30])
@pytest.mark.parametrize("kernels", [IRN, DEEPLAB], ids=["irn", "deeplab"])
@pytest.mark.parametrize("num_labels", [2, 4])
@pytest.mark.parametrize("name", ["china.jpg", "flower.jpg"])
def test_labels_of_a_photograph_are_those_of_pydensecrf(
    engine_type, unaries, in_float64, name, num_labels, kernels, num_iterations
):
    image = cv2.resize(load_sample_image(name), (320, 214), interpolation=cv2.INTER_AREA)
    energies = unaries(np.random.default_rng(0), num_labels, image.shape[:2])
    options = {**kernels, "num_iterations": num_iterations}
    found = engine_type(**options)(image, energies)
    expected = PydensecrfEngine(**options)(image, energies)
    assert np.abs(found - expected).max() <= 1e-3
    differs = found.argmax(axis=0) != expected.argmax(axis=0)
    if differs.any():
        # Only after many iterations, and only where two labels tie in float64 to 2e-5.
        assert num_iterations == 30
        assert differs.sum() == 1
        second, first = np.sort(in_float64(image, energies, options)[:, differs], axis=0)[-2:]
        assert (first - second).max() < 2e-5


@pytest.mark.parametrize("num_labels", [2, 21])
def test_labels_at_full_size(engine_type, scene, unaries, assert_same, num_labels):
    """Photographs of VOC are of this size."""
    rng = np.random.default_rng(num_labels)
    image, energies = scene(rng, (375, 500)), unaries(rng, num_labels, (375, 500))
    options = {**IRN, "num_iterations": 2}
    expected = PydensecrfEngine(**options)(image, energies)
    assert_same(engine_type(**options)(image, energies), expected)


@pytest.mark.parametrize("num_labels", [1, 2, 3, 4, 5, 9, 17, 21, 36, 81])
def test_any_number_of_labels(engine_type, scene, unaries, assert_same, num_labels):
    rng = np.random.default_rng(num_labels)
    image, energies = scene(rng, (45, 52)), unaries(rng, num_labels, (45, 52))
    assert_same(engine_type()(image, energies), PydensecrfEngine()(image, energies))


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (1, 9), (7, 1), (3, 5), (130, 2)])
def test_any_size(engine_type, assert_same, size):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    energies = energies_from_softmax(rng.uniform(0.1, 1, (3, *size)))
    assert_same(engine_type()(image, energies), PydensecrfEngine()(image, energies))


@pytest.mark.parametrize(
    "kernels",
    [
        {"bilateral_sxy_px": 2, "bilateral_srgb": 1},
        {"bilateral_sxy_px": 1000, "bilateral_srgb": 300},
        {"gaussian_sxy_px": 40, "gaussian_compat": 20},
        {"gaussian_sxy_px": 0.3, "bilateral_compat": 60},
    ],
)
def test_extreme_kernels(engine_type, scene, unaries, assert_same, kernels):
    rng = np.random.default_rng(0)
    image, energies = scene(rng, (40, 50)), unaries(rng, 2, (40, 50))
    assert_same(
        engine_type(**kernels)(image, energies), PydensecrfEngine(**kernels)(image, energies)
    )


def test_absent_labels(engine_type, scene, assert_same):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, (30, 40), dtype=np.uint8)
    image, energies = scene(rng, (30, 40)), energies_from_labels(labels, 12)
    found = engine_type()(image, energies)
    assert_same(found, PydensecrfEngine()(image, energies))
    np.testing.assert_array_equal(found[3:], np.broadcast_to(found[3], (9, 30, 40)))


def test_labels_of_the_same_energies_are_equally_likely(engine_type, scene):
    image = scene(np.random.default_rng(0), (10, 12))
    posterior = engine_type()(image, np.ones((4, 10, 12), dtype=np.float32))
    np.testing.assert_array_equal(posterior, np.full((4, 10, 12), 0.25, dtype=np.float32))


@pytest.mark.parametrize(
    "options", [{"num_iterations": 0}, {"gaussian_compat": 0, "bilateral_compat": 0}]
)
def test_without_weights_the_unaries_stay(engine_type, scene, unaries, options):
    rng = np.random.default_rng(0)
    image, energies = scene(rng, (20, 30)), unaries(rng, 4, (20, 30))
    probabilities = np.exp(-energies) / np.exp(-energies).sum(axis=0)
    found = engine_type(**options)(image, energies)
    np.testing.assert_allclose(found, probabilities, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("num_labels", [5, 21])
def test_labels_may_be_permuted(engine_type, scene, unaries, num_labels):
    rng = np.random.default_rng(0)
    image, energies = scene(rng, (30, 40)), unaries(rng, num_labels, (30, 40))
    order = rng.permutation(num_labels)
    engine = engine_type(num_iterations=5)
    found = engine(image, np.ascontiguousarray(energies[order]))
    np.testing.assert_allclose(found, engine(image, energies)[order], atol=1e-4)


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_a_mirror_image_has_the_mirrored_posterior(engine_type, scene, unaries, axes):
    # Cells of the lattice lie elsewhere beside a mirrored pixel: equal up to the approximation.
    rng = np.random.default_rng(0)
    image, energies = scene(rng, (60, 80)), unaries(rng, 3, (60, 80))
    mirrored = np.flip(energies, [axis + 1 for axis in axes])
    engine = engine_type()
    found = engine(np.ascontiguousarray(np.flip(image, axes)), np.ascontiguousarray(mirrored))
    back, expected = np.flip(found, [axis + 1 for axis in axes]), engine(image, energies)
    assert np.abs(back - expected).mean() < 0.02
    assert (back.argmax(axis=0) != expected.argmax(axis=0)).mean() < 0.02


@pytest.mark.parametrize(
    ("shape", "energies", "message"),
    [
        ((20, 24, 3), np.zeros((2, 40, 60), np.float32), r"energies \(2, 40, 60\).*20, 24"),
        ((20, 24, 3), np.zeros((2, 24, 20), np.float32), r"energies \(2, 24, 20\)"),
        ((20, 24), np.zeros((2, 20, 24), np.float32), r"image uint8 \(20, 24\)"),
        ((20, 24, 4), np.zeros((2, 20, 24), np.float32), r"expected uint8 \(height, width, 3\)"),
        ((0, 24, 3), np.zeros((2, 0, 24), np.float32), r"\(0, 24, 3\).*none of them 0"),
        ((20, 24, 3), np.ones((2, 20, 24), np.int64), "energies int64: expected float32"),
        ((20, 24, 3), np.full((2, 20, 24), np.inf, np.float32), "infinite"),
        ((20, 24, 3), np.full((2, 20, 24), np.nan, np.float32), "not a number"),
    ],
)
def test_what_does_not_belong_together_is_refused(engine_type, shape, energies, message):
    with pytest.raises(ValueError, match=message):
        engine_type()(np.zeros(shape, np.uint8), energies)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gaussian_sxy_px", 0),
        ("bilateral_sxy_px", -1),
        ("bilateral_srgb", float("nan")),
        ("gaussian_sxy_px", 1e-39),
        ("gaussian_compat", 1e39),
        ("gaussian_compat", -1),
        ("bilateral_compat", float("inf")),
        ("num_iterations", -1),
    ],
)
def test_wrong_settings_are_named(engine_type, name, value):
    with pytest.raises(WsssError, match=name):
        engine_type(**{name: value})


@pytest.mark.parametrize("kind", ["scene", "noise"])
def test_cells_that_64_bits_cannot_number_are_told_apart(
    engine_type, image_of, unaries, assert_same, kind
):
    rng = np.random.default_rng(0)
    image, energies = image_of(kind, rng, (31, 42)), unaries(rng, 3, (31, 42))
    image[:2, :3], image[5:7, 5:9] = 255, 0
    kernels = {"bilateral_sxy_px": 0.5, "bilateral_srgb": 0.04}
    assert packing(bilateral_features(image, 0.5, 0.04).max(axis=1)).num_bits > 64
    found = engine_type(**kernels)(image, energies)
    assert_same(found, PydensecrfEngine(**kernels)(image, energies))


def test_a_kernel_with_too_many_cells_is_refused(engine_type):
    image = np.full((20, 3000, 3), 255, dtype=np.uint8)
    energies = np.zeros((2, 20, 3000), dtype=np.float32)
    energies[0] = 1
    with pytest.raises(WsssError, match="along one coordinate"):
        engine_type(gaussian_sxy_px=1e-6)(image, energies)


@pytest.mark.parametrize("engine_type", [NumbaEngine, PydensecrfEngine, TorchEngine])
def test_the_device_is_looked_for_beforehand(engine_type):
    for device in (None, "cpu"):
        engine_type(device=device).check()
    with pytest.raises(WsssError, match=r"^device=cuda:77: "):
        engine_type(device="cuda:77").check()


def test_the_reference_is_looked_for_beforehand(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydensecrf.densecrf", None)
    with pytest.raises(WsssError, match=r"pydensecrf2.*not installed.*NumbaEngine"):
        PydensecrfEngine().check()
