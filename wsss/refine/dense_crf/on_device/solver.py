"""A group of images on a device: upload, lattices, iterations, download."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, UInt8

from wsss.refine.dense_crf.on_device.lattice import Lattice, build_lattice, side_by_side
from wsss.refine.dense_crf.on_device.mean_field import both_kernels, last_sums
from wsss.refine.dense_crf.on_device.operations import Operations
from wsss.refine.dense_crf.on_device.upload import (
    Unary,
    download,
    levels,
    upload_images,
    upload_unaries,
)
from wsss.refine.dense_crf.packing import (
    COORDINATE_BITS,
    KEY_BITS,
    Packing,
    check_packing,
    packing,
)
from wsss.refine.dense_crf.points import COLOUR_LEVELS, PADDING

KEPT_SIZES = 16
"""Lattices of positions that stay on the device; one of 375 × 500 pixels takes 19 MB."""

Wanted = Literal["posteriors", "labels", "labels and confidence"]


class Settings(NamedTuple):
    """The kernels of an engine (see `DenseCrfEngine`)."""

    gaussian_sxy_px: float
    gaussian_compat: float
    bilateral_sxy_px: float
    bilateral_srgb: float
    bilateral_compat: float
    num_iterations: int


class Found(NamedTuple):
    """What is known of a unary's pixels."""

    posterior: Float32[np.ndarray, "c h w"] | None = None
    """Of a label of each channel."""
    labels: UInt8[np.ndarray, "h w"] | None = None
    confidence: Float32[np.ndarray, "h w"] | None = None


def solve_group(
    images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    unaries: Sequence[Sequence[Unary]],
    settings: Settings,
    wanted: Wanted,
    device: torch.device,
    operations: Operations,
) -> list[list[Found]]:
    """Solve images as one lattice with disconnected parts, and copy back no more than is wanted.

    Raises:
        WsssError: a kernel has more cells than float32 resolves.
        OutOfMemoryError: of torch.
    """
    sent = upload_images(images, device)
    energies = upload_unaries(unaries, device)
    near = side_by_side(
        [
            positions_lattice(
                size, settings.gaussian_sxy_px, settings.gaussian_compat, device, operations
            )
            for size in sent.sizes
        ],
        sent.starts[:-1],
        operations.rows_first,
    )
    table = levels(sent.sizes, settings.bilateral_sxy_px, settings.bilateral_srgb, device)
    layout = check_packing(colour_packing(images, settings))
    keys, weights = operations.locate(sent, table, layout, 5)
    alike = build_lattice(keys, weights, layout, settings.bilateral_compat, operations)
    del keys, weights
    kernels = both_kernels(near, alike, sent.starts[-1], operations.rows_first)
    del near, alike
    problem = operations.prepared(sent, energies, kernels.slices)
    sums = last_sums(problem, kernels, operations, settings.num_iterations)
    if wanted == "posteriors":
        planes = download(operations.posteriors(problem, sums))
        return [
            [
                Found(posterior=planes[start:][: count * height * width].reshape(-1, height, width))
                for start, count, _ in places
            ]
            for places, (height, width) in zip(energies.places, sent.sizes, strict=True)
        ]
    found = operations.labels(problem, sums, wanted == "labels and confidence")
    confidence = None if found.confidence is None else download(found.confidence)
    labels = download(found.labels)
    return [
        [_cut(labels, confidence, out, size) for _, _, out in places]
        for places, size in zip(energies.places, sent.sizes, strict=True)
    ]


def _cut(
    labels: UInt8[np.ndarray, " p"],
    confidence: Float32[np.ndarray, " p"] | None,
    start: int,
    size: tuple[int, int],
) -> Found:
    here = slice(start, start + size[0] * size[1])
    return Found(
        labels=labels[here].reshape(size),
        confidence=None if confidence is None else confidence[here].reshape(size),
    )


@lru_cache(maxsize=KEPT_SIZES)
def positions_lattice(
    size: tuple[int, int],
    sxy_px: float,
    compat: float,
    device: torch.device,
    operations: Operations,
) -> Lattice:
    """The kernel of positions for an image of (height, width), shared by images of equal size."""
    layout = check_packing(positions_packing(size, sxy_px))
    # Positions need the size alone.
    blank = np.zeros((*size, 3), dtype=np.uint8)
    table = levels([size], sxy_px, 1, device)
    keys, weights = operations.locate(upload_images([blank], device), table, layout, 2)
    return build_lattice(keys, weights, layout, compat, operations)


def positions_packing(size: tuple[int, int], sxy_px: float) -> Packing:
    """The layout of the keys of positions."""
    return packing(_largest(size, sxy_px))


def colour_packing(images: Sequence[UInt8[np.ndarray, "_ _ 3"]], settings: Settings) -> Packing:
    """The layout of the keys of positions and colours of all images.

    It has room for all levels, so that the pixels need not be looked at, unless that is too much.
    """
    size = (max(len(image) for image in images), max(image.shape[1] for image in images))
    sxy, srgb = settings.bilateral_sxy_px, np.float32(settings.bilateral_srgb)
    places = _largest(size, sxy)
    levels = np.full(3, COLOUR_LEVELS, dtype=np.float32)
    found = packing(np.concatenate([places, levels / srgb]))
    if found.num_bits + image_bits(images) > KEY_BITS or found.widest > COORDINATE_BITS:
        brightest = np.max([image.max(axis=(0, 1)) for image in images], axis=0)
        found = packing(np.concatenate([places, brightest.astype(np.float32) / srgb]))
    return found


def image_bits(images: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> int:
    """Bits of the largest number of an image."""
    return (len(images) - 1).bit_length()


def has_room(images: Sequence[UInt8[np.ndarray, "_ _ 3"]], settings: Settings) -> bool:
    """Whether 64-bit keys and 32-bit indices suffice for a group."""
    points = sum(image.shape[0] * image.shape[1] + PADDING for image in images)
    used = colour_packing(images, settings).num_bits
    # Every point may have six vertices of its own, and a row of up to eight places for each.
    return used + image_bits(images) <= KEY_BITS and 6 * 8 * points < 2**31


def _largest(size: tuple[int, int], sxy_px: float) -> Float32[np.ndarray, "2"]:
    height, width = size
    return np.array([width - 1, height - 1], dtype=np.float32) / np.float32(sxy_px)
