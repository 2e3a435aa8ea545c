"""The CPU engine: compiled by numba at the first call, then kept on disk."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from wsss.refine.dense_crf.engine import DenseCrfEngine
from wsss.refine.dense_crf.features import bilateral_features, gaussian_features
from wsss.refine.dense_crf.lattice import Lattice, build_lattice
from wsss.refine.dense_crf.mean_field import mean_field, normalise

UNROLLED_CHANNELS = 3
"""Up to so many channels have code of their own."""


class NumbaEngine(DenseCrfEngine):
    """Mean-field inference on one thread, GIL released; images may run in parallel threads."""

    def solve(
        self, image: UInt8[np.ndarray, "h w 3"], unaries: Sequence[Float32[np.ndarray, "l h w"]]
    ) -> list[Float32[np.ndarray, "l h w"]]:
        """Posteriors of several unaries of one image, whose lattices are built once."""
        size = (image.shape[0], image.shape[1])
        gaussian = gaussian_kernel(size, self.gaussian_sxy_px, self.gaussian_compat)
        features = bilateral_features(image, self.bilateral_sxy_px, self.bilateral_srgb)
        bilateral = kernel(features, size[0] * size[1], self.bilateral_compat)
        return [infer(one, gaussian, bilateral, self.num_iterations) for one in unaries]


def kernel(features: Float32[np.ndarray, "d n"], num_points: int, compat: float) -> Lattice:
    """The lattice whose weights make it `compat` times the normalised kernel of the features."""
    lattice = build_lattice(features)
    normalise(lattice, num_points, float(compat))
    return lattice


@lru_cache(maxsize=4)  # about 50 bytes a pixel each
def gaussian_kernel(size: tuple[int, int], sxy_px: float, compat: float) -> Lattice:
    """The kernel of positions, which images of the same (height, width) share."""
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
    copies = np.bincount(channel_of).astype(np.float32)
    num = len(first) - 1
    flat = energies.reshape(num_labels, -1)
    base = flat[first[-1]] - flat[first[:-1]]
    channels = (0,) * num if num <= UNROLLED_CHANNELS else np.zeros(num, dtype=np.int64)
    differences = mean_field(base, copies, gaussian, bilateral, num_iterations, channels)
    return _posteriors(differences, copies, channel_of).reshape(energies.shape)


def _posteriors(
    differences: Float32[np.ndarray, "c n"],
    copies: Float32[np.ndarray, " c1"],
    channel_of: Int64[np.ndarray, " l"],
) -> Float32[np.ndarray, "l n"]:
    """Probabilities of all labels from `q_c − q_last`; labels of a channel have the same."""
    last = (1 - copies[:-1] @ differences) / copies.sum()
    channels = np.concatenate([differences + last, last[None]])
    return channels if len(channels) == len(channel_of) else channels[channel_of]


def shared_channels(
    energies: Float32[np.ndarray, "l h w"],
) -> tuple[list[int], Int64[np.ndarray, " l"]]:
    """Labels whose energies are the same everywhere share a channel.

    Returns:
        the first label of each channel, and each label's channel.
    """
    flat = energies.reshape(len(energies), -1)
    glimpse = flat[:, :: max(1, flat.shape[1] // 64)]
    first: list[int] = []
    channel_of = np.empty(len(flat), dtype=np.int64)
    for label, row in enumerate(flat):
        for channel, other in enumerate(first):
            if np.array_equal(glimpse[label], glimpse[other]) and np.array_equal(row, flat[other]):
                channel_of[label] = channel
                break
        else:
            channel_of[label] = len(first)
            first.append(label)
    return first, channel_of
