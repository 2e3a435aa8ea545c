"""Which images are solved together."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from wsss.refine.dense_crf.on_device.upload import Unary

FEWEST_CHANNELS = 4
"""Images are filled up to so many channels beside each other, or the next power of two."""


def groups_of(
    images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    unaries: Sequence[Sequence[Unary]],
    most_px: int,
    fills_up: bool,
) -> list[list[int]]:
    """Numbers of images in groups, in order; those without unaries are in none.

    Args:
        images: of any sizes.
        unaries: of each image.
        most_px: pixels of a group; a larger image is a group of its own.
        fills_up: whether images of similarly many channels go together; else of equally many.
    """
    groups: list[list[int]] = []
    for members in _by_channels(unaries, fills_up):
        used = 0
        for number in members:
            size = images[number][..., 0].size
            used += size
            if number == members[0] or used > most_px:
                groups.append([])
                used = size
            groups[-1].append(number)
    return groups


def _by_channels(unaries: Sequence[Sequence[Unary]], fills_up: bool) -> list[list[int]]:
    found: dict[tuple[int, ...], list[int]] = {}
    for number, several in enumerate(unaries):
        if several:
            channels = tuple(len(unary.first) for unary in several)
            if fills_up:
                most = 1 << (max(channels) - 2).bit_length()
                channels = (len(channels), max(FEWEST_CHANNELS, most))
            found.setdefault(channels, []).append(number)
    return list(found.values())
