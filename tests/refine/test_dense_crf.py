"""The wrapped engine against mean-field inference written out in float64."""

import numpy as np
import pytest

from wsss.refine import PydensecrfEngine
from wsss.refine.dense_crf.unaries import energies_from_softmax


def kernel(features):
    """Gaussian of all pairs, symmetrically normalised: N^-1/2 K N^-1/2."""
    distance = ((features[:, None] - features[None]) ** 2).sum(axis=-1)
    values = np.exp(-distance / 2)
    root = 1 / np.sqrt(values.sum(axis=1))
    return root[:, None] * values * root[None]


def mean_field(image, energies, engine):
    """Krähenbühl and Koltun (2011), algorithm 1, with Potts compatibility, by brute force."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width].reshape(2, -1).astype(float)
    position = np.stack([columns, rows], axis=1)
    color = image.reshape(-1, 3).astype(float)
    smooth = kernel(position / engine.gaussian_sxy_px)
    bilateral = np.hstack([position / engine.bilateral_sxy_px, color / engine.bilateral_srgb])
    appearance = kernel(bilateral)
    unary = energies.reshape(len(energies), -1).astype(float)

    def softmax(negative):
        exponential = np.exp(-(negative - negative.min(axis=0)))
        return exponential / exponential.sum(axis=0)

    q = softmax(unary)
    for _ in range(engine.num_iterations):
        message = engine.gaussian_compat * q @ smooth + engine.bilateral_compat * q @ appearance
        q = softmax(unary - message)
    return q.reshape(energies.shape)


@pytest.mark.parametrize("seed", range(4))
def test_posterior_is_near_exact_mean_field(seed):
    rng = np.random.default_rng(seed)
    image = np.full((12, 14, 3), 60, dtype=np.uint8)
    image[3:9, 4:11] = (200, 90, 70)
    image = (image + rng.integers(0, 8, image.shape)).astype(np.uint8)
    scores = rng.uniform(0.2, 0.8, (3, 12, 14))
    scores[0] += 0.6
    scores[1, 3:9, 4:11] += 1.2
    energies = energies_from_softmax(scores / scores.sum(axis=0))
    engine = PydensecrfEngine(
        gaussian_sxy_px=2, gaussian_compat=1, bilateral_sxy_px=8, bilateral_srgb=20,
        bilateral_compat=2, num_iterations=5,
    )  # fmt: skip
    found, exact = engine(image, energies), mean_field(image, energies, engine)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
    # The permutohedral lattice approximates the sums over all pairs to a few per cent.
    assert np.abs(found - exact).mean() < 0.03
    sure = np.sort(exact, axis=0)[-1] - np.sort(exact, axis=0)[-2] > 0.2
    assert sure.mean() > 0.5
    np.testing.assert_array_equal(found.argmax(axis=0)[sure], exact.argmax(axis=0)[sure])


def test_without_iterations_the_unaries_are_normalised():
    scores = np.random.default_rng(0).uniform(0.1, 1, (3, 5, 6)).astype(np.float32)
    image = np.zeros((5, 6, 3), dtype=np.uint8)
    posterior = PydensecrfEngine(num_iterations=0)(image, energies_from_softmax(scores))
    np.testing.assert_allclose(posterior, scores / scores.sum(axis=0), rtol=1e-4)


def test_the_same_call_gives_the_same_bytes():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    energies = energies_from_softmax(rng.uniform(0.1, 1, (2, 20, 30)))
    engine = PydensecrfEngine()
    assert engine(image, energies).tobytes() == engine(image, energies).tobytes()
