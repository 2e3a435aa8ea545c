"""The same mean field in float64, step by step: at near ties of float32 it tells who is right."""

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_array, eye_array
from scipy.special import softmax

from wsss.refine import DenseCrfEngine
from wsss.refine.dense_crf.numba_kernels.lattice import Lattice, build_lattice
from wsss.refine.dense_crf.points import bilateral_features, gaussian_features

Kernel = Callable[[np.ndarray], np.ndarray]
"""Filters values [points, channels]."""


def posteriors_in_float64(
    engine: DenseCrfEngine, image: np.ndarray, energies: np.ndarray
) -> np.ndarray:
    """Posteriors by the engine's kernels and iterations, on the lattices of float32."""
    size = image.shape[:2]
    near = gaussian_features(size, engine.gaussian_sxy_px)
    alike = bilateral_features(image, engine.bilateral_sxy_px, engine.bilateral_srgb)
    kernels = (
        _kernel(near, size[0] * size[1], engine.gaussian_compat),
        _kernel(alike, size[0] * size[1], engine.bilateral_compat),
    )
    scores = -energies.reshape(len(energies), -1).T.astype(np.float64)
    posterior = softmax(scores, axis=1)
    for _ in range(engine.num_iterations):
        posterior = softmax(scores + sum(kernel(posterior) for kernel in kernels), axis=1)
    return posterior.T.reshape(energies.shape)


def following(lattice: Lattice) -> np.ndarray:
    """Per axis each vertex's next in its chain, 0 where there is none."""
    found = np.zeros((len(lattice.lengths), lattice.num_vertices), dtype=np.int64)
    for row, chain, length in zip(found, lattice.chains, lattice.lengths, strict=True):
        row[chain[: length - 1]] = chain[1:length]
        row[0] = 0
    return found


def _kernel(features: np.ndarray, num_points: int, compat: float) -> Kernel:
    """`compat` times the symmetrically normalised kernel: splat, blur along each axis, slice."""
    lattice = build_lattice(features)
    corners, weights = lattice.corners[:num_points], lattice.weights[:num_points]
    entries = np.arange(0, corners.size + 1, corners.shape[1])
    slices = csr_array(
        (weights.ravel().astype(np.float64), corners.ravel(), entries),
        shape=(num_points, lattice.num_vertices),
    )
    blurs = [_blur(after) for after in following(lattice)]
    scale = 1 / (1 + 2.0 ** -len(features))

    def apply(values: np.ndarray) -> np.ndarray:
        sums = slices.T @ values
        for blur in blurs:
            sums = blur @ sums
        return scale * (slices @ sums)

    root = 1 / np.sqrt(apply(np.ones((num_points, 1))) + 1e-20)
    return lambda values: compat * root * apply(root * values)


def _blur(after: np.ndarray) -> csr_array:
    """Each vertex plus half of both its neighbours."""
    here = after.nonzero()[0]
    halves = np.full(len(here), 0.5)
    step = csr_array((halves, (here, after[here])), shape=(len(after), len(after)))
    return csr_array(eye_array(len(after)) + step + step.T)
