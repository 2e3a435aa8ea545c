"""Images and unaries of several sizes as one set of points with one set of channels."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from wsss.refine.dense_crf.points import bilateral_features, gaussian_features
from wsss.refine.dense_crf.unaries import shared_channels


class PointBatch(NamedTuple):
    """The concatenated points of all images, with padding (see `points.py`)."""

    gaussian: Float32[np.ndarray, "2 n"]
    bilateral: Float32[np.ndarray, "5 n"]
    image: Int64[np.ndarray, " n"]
    """Index of each point's image."""
    is_pixel: Bool[np.ndarray, " n"]
    """False for padding."""
    starts: Int64[np.ndarray, " b"]
    """The first point of each image."""


class UnaryBatch(NamedTuple):
    """Unary energies of all points; labels of equal energies share a channel.

    Every image has K unaries of C channels, padded with channels of infinite energy, whose
    probability stays 0, and with unused unaries.
    """

    energies: Float32[np.ndarray, "n k c"]
    shares: Float32[np.ndarray, "b k c"]
    """Share of a label in its channel: 1 over the number of labels."""
    channels: list[list[Int64[np.ndarray, " l"]]]
    """Per image and unary each label's channel."""


def stack_points(
    images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    gaussian_sxy_px: float,
    bilateral_sxy_px: float,
    bilateral_srgb: float,
) -> PointBatch:
    """The points of both kernels, in units of their standard deviations."""
    near = [gaussian_features(_size(image), gaussian_sxy_px) for image in images]
    alike = [bilateral_features(image, bilateral_sxy_px, bilateral_srgb) for image in images]
    counts = np.array([features.shape[1] for features in near])
    starts = counts.cumsum() - counts
    number = np.arange(len(images)).repeat(counts)
    pixels = np.array([height * width for height, width in map(_size, images)])
    is_pixel = np.arange(counts.sum()) - starts[number] < pixels[number]
    return PointBatch(
        np.concatenate(near, axis=1), np.concatenate(alike, axis=1), number, is_pixel, starts
    )


def stack_unaries(
    unaries: Sequence[Sequence[Float32[np.ndarray, "_ _ _"]]], points: PointBatch
) -> UnaryBatch:
    """Energies of every channel at every point; 0 where there is no pixel."""
    shared = [[shared_channels(energies) for energies in several] for several in unaries]
    most = max(len(several) for several in unaries)
    channels = max(len(first) for several in shared for first, _ in several)
    stacked = np.zeros((len(points.image), most, channels), dtype=np.float32)
    shares = np.ones((len(unaries), most, channels), dtype=np.float32)
    for image, start in enumerate(points.starts.tolist()):
        for number, energies in enumerate(unaries[image]):
            first, channel_of = shared[image][number]
            rows = stacked[start : start + energies[0].size, number]
            rows[:, : len(first)] = energies.reshape(len(energies), -1)[first].T
            rows[:, len(first) :] = np.inf
            shares[image, number, : len(first)] = 1 / np.bincount(channel_of)
    return UnaryBatch(stacked, shares, [[of for _, of in several] for several in shared])


def split_posteriors(
    posteriors: Float32[np.ndarray, "n k c"],
    batch: UnaryBatch,
    points: PointBatch,
    images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
) -> list[list[Float32[np.ndarray, "_ _ _"]]]:
    """Posteriors of every label, per image and unary, from those of channels at all points."""
    found = []
    for start, channels, image in zip(points.starts.tolist(), batch.channels, images, strict=True):
        height, width = _size(image)
        rows = posteriors[start : start + height * width]
        found.append(
            [
                np.ascontiguousarray(rows[:, number].T[channel_of]).reshape(-1, height, width)
                for number, channel_of in enumerate(channels)
            ]
        )
    return found


def _size(image: UInt8[np.ndarray, "h w 3"]) -> tuple[int, int]:
    return image.shape[0], image.shape[1]
