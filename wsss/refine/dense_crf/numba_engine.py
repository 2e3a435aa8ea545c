"""The CPU engine: numba compiles it at the first call and caches it on disk."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float32, UInt8

from wsss.refine.dense_crf.engine import DenseCrfEngine
from wsss.refine.dense_crf.numba_kernels.filtering import normalise
from wsss.refine.dense_crf.numba_kernels.jit import is_kept
from wsss.refine.dense_crf.numba_kernels.lattice import Lattice, build_lattice
from wsss.refine.dense_crf.numba_kernels.many_channels import grouped_mean_field
from wsss.refine.dense_crf.numba_kernels.mean_field import mean_field
from wsss.refine.dense_crf.points import bilateral_features, gaussian_features
from wsss.refine.dense_crf.unaries import shared_channels

WIDTHS = (1, 2, 4, 8, 16)
"""Numbers of channels filtered together, each compiled on first use: the smallest that fits all
channels, or groups of the largest."""

FUSED_WIDTH = 4
"""Largest number of channels with one fused pass an iteration."""


class NumbaEngine(DenseCrfEngine):
    """Mean-field inference on one thread, GIL released; images may run in parallel threads."""

    def compiles_first(self) -> bool:
        """Whether numba's cache has none of the functions that every image takes."""
        return not is_kept(normalise)

    def _solve(
        self, image: UInt8[np.ndarray, "h w 3"], unaries: Sequence[Float32[np.ndarray, "_ h w"]]
    ) -> list[Float32[np.ndarray, "_ h w"]]:
        """Posteriors of several unaries of one image, whose lattices are built once."""
        size = (image.shape[0], image.shape[1])
        gaussian = gaussian_kernel(size, self.gaussian_sxy_px, self.gaussian_compat)
        features = bilateral_features(image, self.bilateral_sxy_px, self.bilateral_srgb)
        bilateral = kernel(features, size[0] * size[1], self.bilateral_compat)
        return [infer(one, gaussian, bilateral, self.num_iterations) for one in unaries]


def kernel(features: Float32[np.ndarray, "d n"], num_points: int, compat: float) -> Lattice:
    """The lattice of `compat` times the normalised kernel of the features."""
    lattice = build_lattice(features)
    normalise(lattice, num_points, float(compat))
    return lattice


@lru_cache(maxsize=4)  # about 26 bytes a pixel each
def gaussian_kernel(size: tuple[int, int], sxy_px: float, compat: float) -> Lattice:
    """The kernel of positions, shared by images of equal (height, width)."""
    return kernel(gaussian_features(size, sxy_px), size[0] * size[1], compat)


def infer(
    energies: Float32[np.ndarray, "l h w"],
    gaussian: Lattice,
    bilateral: Lattice,
    num_iterations: int,
) -> Float32[np.ndarray, "l h w"]:
    """Posteriors, from energies and both kernels."""
    num_labels = len(energies)
    first, channel_of = shared_channels(energies)
    if len(first) == 1:
        return np.full_like(energies, 1 / num_labels)
    flat = np.ascontiguousarray(energies.reshape(num_labels, -1))
    widths = group_widths(len(first) - 1)
    common = (flat, np.array(first), channel_of, gaussian, bilateral, num_iterations)
    if len(widths) == 1 and widths[0] <= FUSED_WIDTH:
        posterior = mean_field(*common, (0,) * widths[0])
    else:
        posterior = grouped_mean_field(*common, widths)
    return posterior.reshape(energies.shape)


def group_widths(num_channels: int) -> list[int]:
    """Widths of groups for all channels; those of the largest width come last."""
    most = WIDTHS[-1]
    full = (num_channels - 1) // most
    others = num_channels - full * most
    return [next(width for width in WIDTHS if width >= others), *[most] * full]
