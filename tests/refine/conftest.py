"""Images and unaries that engines of the dense CRF are compared on, and what "the same" means."""

import cv2
import numpy as np
import pytest
from scipy.special import softmax

from wsss.refine import PydensecrfEngine
from wsss.refine.dense_crf.features import bilateral_features, gaussian_features
from wsss.refine.dense_crf.lattice import build_lattice
from wsss.refine.dense_crf.unaries import energies_from_softmax


def _smooth(rng, shape, sigma):
    return cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), sigma) * sigma


def _scene(rng, size):
    patches = (
        sum(_smooth(rng, (*size, 3), 12) * 60 > level for level in (-40, 0, 40)) * 60
        + _smooth(rng, (*size, 3), 30) * 20
    )
    return (patches + rng.normal(scale=2, size=patches.shape) + 40).clip(0, 255).astype(np.uint8)


def _unaries(rng, num_labels, size, strength=3.0):
    logits = np.stack([_smooth(rng, size, 8) * strength for _ in range(num_labels)])
    exponential = np.exp(logits - logits.max(axis=0))
    return energies_from_softmax(exponential / exponential.sum(axis=0))


def _assert_same(found, expected):
    assert np.abs(found - expected).max() <= 1e-3
    top = np.sort(expected, axis=0)[-2:]
    differs = found.argmax(axis=0) != expected.argmax(axis=0)
    # Where two labels are equally likely to the last digits, either is right.
    assert (top[-1] - top[0])[differs].max(initial=0) <= 1e-3
    assert differs.sum() <= max(1, 1e-4 * differs.size)


def _following(lattice):
    """Per axis each vertex's next in its chain, 0 where there is none."""
    following = np.zeros((len(lattice.lengths), lattice.num_vertices), dtype=np.int64)
    for row, chain, length in zip(following, lattice.chains, lattice.lengths, strict=True):
        row[chain[: length - 1]] = chain[1:length]
        row[0] = 0
    return following


def _kernel_in_float64(features, num_points, compat):
    lattice = build_lattice(features)
    corners, weights = lattice.corners[:num_points], lattice.weights[:num_points].astype(float)
    scale = 1 / (1 + 2.0 ** -len(features))

    def apply(values):
        sums = np.zeros((lattice.num_vertices, values.shape[1]))
        np.add.at(sums, corners, weights[..., None] * values[:, None])
        for following in _following(lattice):
            before = np.zeros_like(sums)
            before[following] = sums
            before[0] = 0
            sums = sums + (before + sums[following]) / 2
        return scale * (weights[..., None] * sums[corners]).sum(axis=1)

    root = 1 / np.sqrt(apply(np.ones((num_points, 1))) + 1e-20)
    return lambda values: compat * root * apply(root * values)


def _in_float64(image, energies, options):
    engine = PydensecrfEngine(**options)
    size = image.shape[:2]
    near = _kernel_in_float64(
        gaussian_features(size, engine.gaussian_sxy_px), size[0] * size[1], engine.gaussian_compat
    )
    alike = _kernel_in_float64(
        bilateral_features(image, engine.bilateral_sxy_px, engine.bilateral_srgb),
        size[0] * size[1],
        engine.bilateral_compat,
    )
    negative = -energies.reshape(len(energies), -1).T.astype(float)
    posterior = softmax(negative, axis=1)
    for _ in range(engine.num_iterations):
        posterior = softmax(negative + near(posterior) + alike(posterior), axis=1)
    return posterior.T.reshape(energies.shape)


@pytest.fixture
def following():
    """Each vertex's next along every axis of a lattice, 0 where there is none."""
    return _following


@pytest.fixture
def scene():
    """Patches of colour with soft shading and noise: what generated data has of a photograph."""
    return _scene


@pytest.fixture
def unaries():
    """Energies of smooth random scores, from (rng, num_labels, size)."""
    return _unaries


@pytest.fixture
def assert_same():
    """Posteriors agree to 1e-3, and so do labels but for one in 10,000, at near ties."""
    return _assert_same


@pytest.fixture
def in_float64():
    """Posteriors by the same iterations on the same lattices in float64, step by step.

    Called with (image, energies, options). Rounding to float32 grows where labels are nearly tied,
    in every engine: this tells whose it is.
    """
    return _in_float64
