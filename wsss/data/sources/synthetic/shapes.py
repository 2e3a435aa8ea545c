"""Shapes of the synthetic data set: a table of outlines and colours.

Every class has a large plain body, in a colour shared with other classes, and one small
discriminative part. A classifier needs the part alone, a segmenter also the body: the difficulty of
weak supervision.

Outlines lie in a box of [-100, 100] × [-100, 100], x to the right and y downwards, and are
written like the points of an SVG polygon.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

HALF_BOX = 100
"""Half the side of the box of the outlines."""

RGB = tuple[int, int, int]
Outline = Float[np.ndarray, "n 2"]
"""Corners of a closed polygon as (x, y)."""

CLAY, OCHRE, CREAM, SAGE, TEAL, SLATE, PLUM, UMBER = BODY_COLORS = (
    (202, 104, 78),
    (222, 172, 84),
    (232, 218, 190),
    (112, 158, 98),
    (70, 142, 148),
    (104, 118, 142),
    (140, 92, 138),
    (142, 102, 72),
)
"""Colours of bodies, each shared by several classes."""

WHITE, BLACK, RED, YELLOW, PINK, NAVY = (
    (248, 246, 240),
    (30, 28, 34),
    (206, 44, 46),
    (255, 214, 74),
    (238, 92, 152),
    (44, 62, 120),
)


@dataclass(frozen=True, eq=False, slots=True)
class Patch:
    """An evenly coloured piece of a shape."""

    outline: Outline
    color: RGB | None = None
    """None: the colour of the body."""
    tone: float = 1.0
    """Factor on the colour; below 1 is darker."""


@dataclass(frozen=True, eq=False, slots=True)
class Shape:
    """Patches painted one over the other; together they are the shape's silhouette."""

    name: str
    body_colors: tuple[RGB, ...]
    patches: tuple[Patch, ...]


def polygon(points: str) -> Outline:
    """Straight edges between points written as "x,y x,y …"."""
    return np.array([point.split(",") for point in points.split()], dtype=np.float64)


def curve(points: str, num_per_point: int = 8) -> Outline:
    """A closed Catmull-Rom spline through "x,y x,y …", with `num_per_point` corners for each."""
    p1 = polygon(points)[:, None]
    p0, p2, p3 = (np.roll(p1, shift, axis=0) for shift in (1, -1, -2))
    t = np.linspace(0, 1, num_per_point, endpoint=False)[:, None]
    cubic = 3 * (p1 - p2) + p3 - p0
    square = 2 * p0 - 5 * p1 + 4 * p2 - p3
    corners: Outline = p1 + 0.5 * t * (p2 - p0 + t * (square + t * cubic))
    return corners.reshape(-1, 2)


def box(left: float, top: float, right: float, bottom: float) -> Outline:
    """An upright rectangle."""
    return polygon(f"{left},{top} {right},{top} {right},{bottom} {left},{bottom}")


def disc(x: float, y: float, radius_x: float, radius_y: float | None = None) -> Outline:
    """An ellipse around (x, y); a circle without `radius_y`."""
    return sector(x, y, radius_x, radius_x if radius_y is None else radius_y, 0, 360)


def sector(
    x: float, y: float, radius_x: float, radius_y: float, start_deg: float, stop_deg: float
) -> Outline:
    """The segment of an ellipse between two angles, clockwise from the right."""
    angles = np.radians(np.linspace(start_deg, stop_deg, 33))
    return np.stack([x + radius_x * np.cos(angles), y + radius_y * np.sin(angles)], axis=1)


def ring(
    x: float, y: float, outer: float, inner: float, start_deg: float, stop_deg: float
) -> Outline:
    """A piece of an annulus between two angles, clockwise from the right."""
    outside = sector(x, y, outer, outer, start_deg, stop_deg)
    inside = sector(x, y, inner, inner, stop_deg, start_deg)
    return np.concatenate([outside, inside])


def around(x: float, y: float, distance: float, count: int) -> Sequence[tuple[float, float]]:
    """`count` points evenly on a circle around (x, y), the first one above it."""
    angles = 2 * np.pi * np.arange(count) / count
    return [(x + distance * np.sin(a), y - distance * np.cos(a)) for a in angles]


_BOAT = Shape(
    "boat",
    (CREAM, CLAY, SLATE),
    (
        Patch(box(-8, -95, 0, 40), tone=0.6),
        Patch(curve("-12,-90 -10,-30 -12,22 -50,27 -85,20")),
        Patch(curve("4,-72 42,-30 68,20 35,24 4,20")),
        Patch(polygon("-98,34 98,30 66,84 -68,84"), tone=0.85),
        *(
            Patch(ring(0, 57, 20, 9, a, a + 45), (WHITE, RED)[a // 45 % 2])
            for a in range(0, 360, 45)
        ),
    ),
)

_CACTUS = Shape(
    "cactus",
    (SAGE, TEAL),
    (
        Patch(curve("-20,20 -62,20 -80,-5 -78,-35 -64,-42 -50,-35 -46,-10 -20,-12"), tone=0.92),
        Patch(curve("20,42 60,40 80,15 78,-15 64,-22 50,-15 46,10 20,10"), tone=0.92),
        Patch(curve("-28,92 -30,20 -27,-50 0,-78 27,-50 30,20 28,92")),
        *(Patch(disc(x, y, 13), PINK) for x, y in around(4, -74, 15, 5)),
        Patch(disc(4, -74, 10), YELLOW),
    ),
)

_FISH = Shape(
    "fish",
    (OCHRE, TEAL, PLUM),
    (
        Patch(curve("-45,0 -95,-45 -80,0 -95,45"), tone=0.85),
        Patch(curve("-35,-30 -10,-70 30,-68 40,-30"), tone=0.85),
        Patch(curve("-15,30 -20,62 10,60 20,30"), tone=0.85),
        Patch(curve("-62,0 -20,-38 25,-47 70,-30 97,4 70,29 25,45 -20,36")),
        Patch(curve("36,-42 47,-38 42,0 47,37 36,40 28,0"), WHITE),
        Patch(disc(66, -8, 15), WHITE),
        Patch(disc(69, -7, 8), BLACK),
    ),
)

_GUITAR = Shape(
    "guitar",
    (UMBER, OCHRE, CLAY),
    (
        Patch(box(-13, -80, 13, 10), tone=0.6),
        Patch(polygon("-21,-100 21,-100 17,-70 -17,-70"), tone=0.75),
        Patch(
            curve("0,-24 30,-27 44,-5 38,20 58,50 45,86 0,95 -45,86 -58,50 -38,20 -44,-5 -30,-27")
        ),
        Patch(disc(0, 20, 23), CREAM),
        Patch(disc(0, 20, 17), BLACK),
        Patch(box(-22, 58, 22, 66), BLACK),
        *(Patch(box(x, -10, x + 2, 60), WHITE) for x in (-8, -1, 6)),
    ),
)

_HOUSE = Shape(
    "house",
    (CREAM, CLAY, SLATE),
    (
        Patch(box(34, -82, 56, -20), tone=0.7),
        Patch(box(-66, -15, 66, 88)),
        Patch(polygon("-95,-5 0,-88 95,-5"), tone=0.8),
        Patch(box(12, 30, 44, 88), tone=0.6),
        Patch(box(-48, 16, -6, 58), WHITE),
        *(Patch(box(x, y, x + 14, y + 14), YELLOW) for x in (-43, -25) for y in (21, 39)),
    ),
)

_LAMP = Shape(
    "lamp",
    (CREAM, SAGE, PLUM),
    (
        Patch(box(-13, 0, 13, 75), tone=0.7),
        Patch(curve("-52,90 -40,68 0,58 40,68 52,90 0,95"), tone=0.7),
        Patch(disc(0, 16, 21, 23), YELLOW),
        Patch(disc(0, 19, 11, 12), WHITE),
        Patch(polygon("-36,-90 36,-90 76,10 -76,10")),
    ),
)

_MUG = Shape(
    "mug",
    (TEAL, SLATE, UMBER),
    (
        Patch(
            curve("40,-45 75,-50 98,-20 95,20 70,48 40,52 40,30 62,26 74,10 76,-12 65,-27 40,-24"),
            tone=0.9,
        ),
        Patch(curve("-70,-68 -12,-72 46,-68 44,0 38,74 -12,84 -62,74 -68,0")),
        Patch(disc(-12, -68, 56, 13), tone=1.15),
        Patch(disc(-12, -67, 46, 9), tone=0.4),
        Patch(curve("-12,36 -40,6 -38,-13 -25,-19 -12,-6 1,-19 14,-13 16,6"), RED),
    ),
)

_MUSHROOM = Shape(
    "mushroom",
    (CLAY, PLUM, UMBER),
    (
        Patch(curve("-20,0 20,0 22,50 32,90 0,95 -32,90 -22,50"), tone=1.3),
        Patch(disc(0, 8, 72, 14), tone=0.7),
        Patch(curve("-92,8 -75,-42 -35,-75 0,-82 35,-75 75,-42 92,8 45,6 0,2 -45,6")),
        Patch(disc(-32, -42, 16, 14), WHITE),
        Patch(disc(6, -56, 11, 9), WHITE),
        Patch(disc(2, -24, 12, 11), WHITE),
    ),
)

SHAPES = (_BOAT, _CACTUS, _FISH, _GUITAR, _HOUSE, _LAMP, _MUG, _MUSHROOM)
"""The C classes, in the order of their labels 1…C."""

CLUTTER = (
    Shape(
        "crate", BODY_COLORS, (Patch(box(-80, -80, 80, 80)), Patch(box(-80, -20, 80, 20), tone=0.8))
    ),
    Shape("pebble", BODY_COLORS, (Patch(curve("-90,10 -30,-60 50,-50 90,20 20,60")),)),
    Shape("horseshoe", BODY_COLORS, (Patch(ring(0, 0, 90, 50, -60, 240)),)),
    Shape("stick", BODY_COLORS, (Patch(curve("-100,10 -90,-10 90,-15 100,5 10,18")),)),
    Shape("wedge", BODY_COLORS, (Patch(polygon("-80,70 0,-80 80,70")),)),
)
"""Shapes that belong to no class."""
