"""The pixels of a segmentation that are explained."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from wsss.data.pyramids import Size
from wsss.errors import user_error

POINT, BOX = 2, 4
"""Numbers that name a region."""


def region_mask(region: Sequence[int], size: Size, seen_at: Size) -> Bool[np.ndarray, "h w"]:
    """The pixels of the seen image that a box or a point of the image covers; at least one.

    Args:
        region: `left, top, right, bottom` of a box, whose right and bottom are outside, or `x, y`;
            pixels of the image, from 0 at its upper left.
        size: height and width of the image.
        seen_at: of the image as the network sees it.

    Raises:
        WsssError: the region is empty or reaches beyond the image.
    """
    left, top, *end = region
    right, bottom = end or (left + 1, top + 1)
    height, width = size
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise user_error(
            f"region={','.join(map(str, region))}",
            f"no region of an image of {width} × {height} px",
            f"0 ≤ left < right ≤ {width} and 0 ≤ top < bottom ≤ {height}, or a point inside",
            "Correct the numbers: `left,top,right,bottom` or `x,y` in pixels of the image.",
        )
    found = np.zeros(seen_at, dtype=bool)
    found[_span(top, bottom, height, seen_at[0]), _span(left, right, width, seen_at[1])] = True
    return found


def _span(first: int, end: int, side: int, seen_side: int) -> slice:
    """The pixels of a resized side that an interval of the side touches."""
    return slice(first * seen_side // side, -(-end * seen_side // side))
