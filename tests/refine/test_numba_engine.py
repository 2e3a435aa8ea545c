"""The numba engine against pydensecrf, Krähenbühl's own code, and against properties of the CRF."""

from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path

import cv2
import numba
import numpy as np
import pytest
import scipy.sparse
import scipy.special

from wsss.errors import WsssError
from wsss.refine import NumbaEngine, PydensecrfEngine
from wsss.refine.dense_crf import jit
from wsss.refine.dense_crf.channels import shared_channels
from wsss.refine.dense_crf.features import bilateral_features, gaussian_features
from wsss.refine.dense_crf.filtering import normalise
from wsss.refine.dense_crf.lanes import load, store
from wsss.refine.dense_crf.lattice import _build as build
from wsss.refine.dense_crf.lattice import build_lattice
from wsss.refine.dense_crf.mean_field import mean_field
from wsss.refine.dense_crf.unaries import energies_from_softmax

IRN = {"gaussian_sxy_px": 1, "bilateral_sxy_px": 50, "bilateral_srgb": 5}
DEEPLAB = {
    "gaussian_sxy_px": 1,
    "bilateral_sxy_px": 67,
    "bilateral_srgb": 3,
    "bilateral_compat": 4,
}


def smooth(rng, shape, sigma):
    return cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), sigma) * sigma


def scene(rng, size):
    """Patches of colour with soft shading and noise: what generated data has of a photograph."""
    patches = (
        sum(smooth(rng, (*size, 3), 12) * 60 > level for level in (-40, 0, 40)) * 60
        + smooth(rng, (*size, 3), 30) * 20
    )
    return (patches + rng.normal(scale=2, size=patches.shape) + 40).clip(0, 255).astype(np.uint8)


IMAGES = {
    "scene": lambda rng, size: scene(rng, size),
    "constant": lambda rng, size: np.full((*size, 3), 90, np.uint8),
    "checkerboard": lambda rng, size: np.repeat(
        (np.indices(size).sum(axis=0) % 2 * 255)[..., None], 3, axis=2
    ).astype(np.uint8),
    "noise": lambda rng, size: rng.integers(0, 256, (*size, 3), dtype=np.uint8),
}


def unaries(rng, num_labels, size, strength=3.0):
    logits = np.stack([smooth(rng, size, 8) * strength for _ in range(num_labels)])
    exponential = np.exp(logits - logits.max(axis=0))
    return energies_from_softmax(exponential / exponential.sum(axis=0))


def assert_same(found, expected):
    assert np.abs(found - expected).max() <= 5e-4
    top = np.sort(expected, axis=0)[-2:]
    differs = found.argmax(axis=0) != expected.argmax(axis=0)
    # Where two labels are equally likely to the last digits, either is right.
    assert (top[1] - top[0])[differs].max(initial=0) <= 1e-3
    assert differs.sum() <= max(1, 1e-4 * differs.size)


@pytest.mark.parametrize("num_iterations", [1, 10, 30])
@pytest.mark.parametrize("kernels", [{}, IRN, DEEPLAB], ids=["default", "irn", "deeplab"])
@pytest.mark.parametrize("kind", IMAGES)
def test_posteriors_are_those_of_pydensecrf(kind, kernels, num_iterations):
    rng = np.random.default_rng(0)
    size = (61, 83)
    image, energies = IMAGES[kind](rng, size), unaries(rng, 3, size)
    options = {**kernels, "num_iterations": num_iterations}
    expected = PydensecrfEngine(**options)(image, energies)
    assert_same(NumbaEngine(**options)(image, energies), expected)


@pytest.mark.parametrize("num_labels", [2, 3, 4, 5, 21, 81])
def test_any_number_of_labels(num_labels):
    rng = np.random.default_rng(num_labels)
    image, energies = scene(rng, (45, 52)), unaries(rng, num_labels, (45, 52))
    assert_same(NumbaEngine()(image, energies), PydensecrfEngine()(image, energies))


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (1, 9), (7, 1), (3, 5), (130, 2)])
def test_any_size(size):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    energies = energies_from_softmax(rng.uniform(0.1, 1, (3, *size)))
    assert_same(NumbaEngine()(image, energies), PydensecrfEngine()(image, energies))


@pytest.mark.parametrize(
    "kernels",
    [
        {"bilateral_sxy_px": 2, "bilateral_srgb": 1},
        {"bilateral_sxy_px": 1000, "bilateral_srgb": 300},
        {"gaussian_sxy_px": 40, "gaussian_compat": 20},
        {"gaussian_sxy_px": 0.3, "bilateral_compat": 60},
    ],
)
def test_extreme_kernels(kernels):
    rng = np.random.default_rng(0)
    image, energies = scene(rng, (40, 50)), unaries(rng, 2, (40, 50))
    assert_same(
        NumbaEngine(**kernels)(image, energies), PydensecrfEngine(**kernels)(image, energies)
    )


def test_labels_of_the_same_energies_share_a_channel():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, (30, 40))
    energies = np.full((12, 30, 40), -np.log(0.3 / 11), dtype=np.float32)
    np.put_along_axis(energies, labels[None], np.float32(-np.log(0.7)), axis=0)
    first, channel_of = shared_channels(energies)
    assert first == [0, 1, 2, 3]
    assert channel_of.tolist() == [0, 1, 2, *[3] * 9]
    image = scene(rng, (30, 40))
    assert_same(NumbaEngine()(image, energies), PydensecrfEngine()(image, energies))


def test_two_labels_of_one_channel_are_equally_likely():
    image = scene(np.random.default_rng(0), (10, 12))
    posterior = NumbaEngine()(image, np.ones((4, 10, 12), dtype=np.float32))
    np.testing.assert_array_equal(posterior, np.full((4, 10, 12), 0.25, dtype=np.float32))


def test_without_weights_the_unaries_stay():
    rng = np.random.default_rng(0)
    image, energies = scene(rng, (20, 30)), unaries(rng, 4, (20, 30))
    probabilities = np.exp(-energies) / np.exp(-energies).sum(axis=0)
    for engine in (
        NumbaEngine(num_iterations=0),
        NumbaEngine(gaussian_compat=0, bilateral_compat=0),
    ):
        np.testing.assert_allclose(engine(image, energies), probabilities, rtol=2e-5, atol=1e-7)


def test_labels_may_be_permuted():
    rng = np.random.default_rng(0)
    image, energies = scene(rng, (30, 40)), unaries(rng, 5, (30, 40))
    order = rng.permutation(5)
    engine = NumbaEngine(num_iterations=5)
    found = engine(image, np.ascontiguousarray(energies[order]))
    np.testing.assert_allclose(found, engine(image, energies)[order], atol=1e-4)


def test_several_unaries_are_solved_as_alone_and_threads_change_no_byte():
    rng = np.random.default_rng(0)
    images = [scene(rng, (40, 30 + number)) for number in range(6)]
    energies = [unaries(rng, 2, image.shape[:2]) for image in images]
    engine = NumbaEngine()
    alone = [engine(*pair) for pair in zip(images, energies, strict=True)]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(engine, images, energies))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
    pair = engine.solve(images[0], [energies[0], energies[0] * 2])
    np.testing.assert_array_equal(pair[0], alone[0])
    np.testing.assert_array_equal(pair[1], engine(images[0], energies[0] * 2))


def test_a_kernel_with_too_many_cells_is_refused():
    image = np.full((20, 3000, 3), 255, dtype=np.uint8)
    energies = np.zeros((2, 20, 3000), dtype=np.float32)
    energies[0] = 1
    with pytest.raises(WsssError, match="bits"):
        NumbaEngine(bilateral_sxy_px=0.01, bilateral_srgb=0.001)(image, energies)


def test_code_kept_on_disk_is_that_of_all_files_it_was_compiled_from():
    folder = Path(jit.__file__).parent
    content = b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))
    assert blake2b(content, digest_size=8).hexdigest() == jit.SOURCES
    for function in (mean_field, build, normalise):
        assert jit.SOURCES in function._cache._cache_file._source_stamp


def test_lanes_are_sums_and_products_of_numbers():
    values = np.random.default_rng(0).normal(size=40).astype(np.float32)

    @numba.njit
    def combine(target, source, factor, width):
        for start in range(0, 24, len(width)):
            lanes = load(source, start, width)
            store(target, start, lanes + factor * load(source, start + 7, width))

    for width in (1, 2, 4, 8):
        found = np.zeros(24, dtype=np.float32)
        combine(found, values, np.float32(1.7), (0,) * width)
        np.testing.assert_array_equal(found, values[:24] + np.float32(1.7) * values[7:31])


def float64_kernel(features, count, compat):
    """`compat` times the symmetrically normalised kernel of a lattice, as a function of values."""
    lattice = build_lattice(features)
    num = lattice.corners.shape[1]
    splat = scipy.sparse.csr_matrix(
        (
            lattice.weights[:count].astype(np.float64).ravel(),
            lattice.corners[:count].astype(np.int64).ravel(),
            np.arange(0, count * num + 1, num),
        ),
        shape=(count, lattice.neighbours.shape[1]),
    )

    def kernel(values):
        vertices = splat.T @ values
        for before, after in lattice.neighbours.astype(np.int64).transpose(0, 2, 1):
            vertices = vertices + 0.5 * (vertices[before] + vertices[after])
            vertices[0] = 0
        return splat @ vertices / (1 + 2.0 ** -(num - 1))

    root = 1 / np.sqrt(kernel(np.ones((count, 1))))
    return lambda values: compat * root * kernel(root * values)


@pytest.mark.parametrize("num_labels", [2, 5])
def test_rounding_does_not_add_up_over_iterations(num_labels):
    rng = np.random.default_rng(0)
    size = (120, 160)
    image, energies = scene(rng, size), unaries(rng, num_labels, size)
    engine = NumbaEngine(num_iterations=30)
    count = size[0] * size[1]
    near = float64_kernel(gaussian_features(size, 3), count, 3)
    alike = float64_kernel(bilateral_features(image, 80, 13), count, 10)
    unary = energies.reshape(num_labels, -1).T.astype(np.float64)
    exact = scipy.special.softmax(-unary, axis=1)
    for _ in range(30):
        exact = scipy.special.softmax(near(exact) + alike(exact) - unary, axis=1)
    found = engine(image, energies).reshape(num_labels, -1).T
    np.testing.assert_allclose(found, exact, atol=5e-5)
