"""Images and unaries of several sizes on a device: one copy each, features from small tables."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int32, Int64, UInt8
from torch import Tensor

from wsss.refine.dense_crf.points import COLOUR_LEVELS, PADDING


class Unary(NamedTuple):
    """Unary energies of an image, whose labels of equal energies share a channel."""

    energies: Float32[np.ndarray, "l h w"]
    first: list[int]
    """The first label of each channel; two channels at least."""
    channel_of: Int64[np.ndarray, " l"]
    """Each label's channel."""


class Images(NamedTuple):
    """Images on the device, one after another, with padding (see `points.py`)."""

    sizes: tuple[tuple[int, int], ...]
    """Height and width of each."""
    starts: tuple[int, ...]
    """The first point of each; then the number of all points."""
    table: Int64[Tensor, "b 4"]
    """First point, number of pixels, width and first pixel of each."""
    pixels: UInt8[Tensor, "p 3"]
    """RGB, in raster order."""

    @property
    def most_points(self) -> int:
        """Points of the largest image."""
        return max(np.diff(self.starts).tolist())


class Unaries(NamedTuple):
    """Energies on the device: `k` unaries an image, as planes of up to `width` + 1 channels."""

    energies: Float32[Tensor, " e"]
    """All planes in raster order: of an image's unary, channel after channel."""
    table: Int64[Tensor, "b k 3"]
    """Where its planes start, the number of its channels (0: no such unary), and where its labels
    start in the output."""
    copies: Float32[Tensor, "b k c"]
    """Labels of each channel."""
    labels: Int32[Tensor, "b k c"]
    """The first label of each channel."""
    places: tuple[tuple[tuple[int, int, int], ...], ...]
    """The table on the host, without what is not there."""
    num_pixels: int
    """Pixels of the output: the sum over all unaries."""
    has_copies: bool
    """Whether a channel has several labels."""

    @property
    def most(self) -> int:
        """Most unaries of an image."""
        return self.copies.shape[1]

    @property
    def width(self) -> int:
        """Most channels of a unary but the first, which the others are compared with."""
        return self.copies.shape[2] - 1


class Levels(NamedTuple):
    """What features are looked up in, divided on the host: a GPU's quotient may be another one."""

    positions: Float32[Tensor, " s"]
    """Columns or rows in units of the kernel's standard deviation."""
    colours: Float32[Tensor, " 256"]
    """Colour levels in units of theirs."""


def upload_images(images: Sequence[UInt8[np.ndarray, "_ _ 3"]], device: torch.device) -> Images:
    """Copy images, without waiting for the device."""
    sizes = tuple((image.shape[0], image.shape[1]) for image in images)
    pixels = np.array([height * width for height, width in sizes])
    starts, ends = _starts(pixels + (pixels % PADDING > 0)), np.cumsum(pixels)
    widths = [width for _, width in sizes]
    table = np.stack([starts[:-1], pixels, widths, ends - pixels], axis=1)
    room = _room((int(ends[-1]), 3), torch.uint8, device)
    flat = room.numpy()
    for image, end, count in zip(images, ends.tolist(), pixels.tolist(), strict=True):
        flat[end - count : end] = image.reshape(-1, 3)
    return Images(
        sizes, tuple(starts.tolist()), send(table, device), room.to(device, non_blocking=True)
    )


def upload_unaries(unaries: Sequence[Sequence[Unary]], device: torch.device) -> Unaries:
    """Copy the planes of all channels, without waiting for the device."""
    shape = (
        len(unaries),
        max(len(several) for several in unaries),
        max(len(unary.first) for several in unaries for unary in several),
    )
    copies = np.ones(shape, dtype=np.float32)
    labels = np.zeros(shape, dtype=np.int32)
    table = np.zeros((*shape[:2], 3), dtype=np.int64)
    planes: list[Float32[np.ndarray, "h w"]] = []
    start = out = 0
    places = []
    for image, several in enumerate(unaries):
        own = []
        for number, unary in enumerate(several):
            count, size = len(unary.first), unary.energies[0].size
            copies[image, number, :count] = np.bincount(unary.channel_of)
            labels[image, number, :count] = unary.first
            own.append((start, count, out))
            planes += [unary.energies[label] for label in unary.first]
            start, out = start + count * size, out + size
        table[image, : len(own)] = own
        places.append(tuple(own))
    room = _room((start,), torch.float32, device)
    flat, position = room.numpy(), 0
    for plane in planes:
        flat[position : position + plane.size] = plane.reshape(-1)
        position += plane.size
    return Unaries(
        room.to(device, non_blocking=True),
        send(table, device),
        send(copies, device),
        send(labels, device),
        tuple(places),
        out,
        bool((copies > 1).any()),
    )


def levels(
    sizes: Sequence[tuple[int, int]], sxy_px: float, srgb: float, device: torch.device
) -> Levels:
    """Tables for all columns, rows and colours, the same float32 as in `points.py`."""
    longest = max(max(size) for size in sizes)
    return Levels(
        send(np.arange(longest, dtype=np.float32) / np.float32(sxy_px), device),
        send(np.arange(COLOUR_LEVELS + 1, dtype=np.float32) / np.float32(srgb), device),
    )


def download(values: Tensor) -> np.ndarray:
    """Copy to the host, from a GPU into pinned memory; waits for the device."""
    if values.device.type != "cuda":
        return values.cpu().numpy()
    room = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    room.copy_(values, non_blocking=True)
    torch.cuda.current_stream(values.device).synchronize()
    return room.numpy()


def _starts(counts: Int64[np.ndarray, " b"]) -> Int64[np.ndarray, " b1"]:
    return np.concatenate([[0], np.cumsum(counts)])


def _room(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Memory of the host, pinned for copies to a GPU."""
    return torch.empty(shape, dtype=dtype, pin_memory=device.type == "cuda")


def send(values: np.ndarray, device: torch.device) -> Tensor:
    """Copy a small array; from pinned memory, as others would have the host wait for a GPU."""
    room = torch.from_numpy(values)
    return (room.pin_memory() if device.type == "cuda" else room).to(device, non_blocking=True)
