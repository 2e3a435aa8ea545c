"""What the objects of the synthetic data set look like: a table of outlines and colours.

Every class has a large plain body, whose colour it shares with other classes, and one small part
that only it has. A classifier can live on the part alone; a segmenter needs the body too. That is
the difficulty of weak supervision in miniature.

Outlines live in a box of [-1, 1] × [-1, 1], x to the right and y downwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

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
"""The colours bodies are painted in; no class has one to itself."""

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


def polygon(*corners: tuple[float, float]) -> Outline:
    """An outline with straight edges."""
    return np.array(corners, dtype=np.float64)


def curve(*knots: tuple[float, float], num_per_knot: int = 8) -> Outline:
    """A closed Catmull-Rom spline through the knots, `num_per_knot` corners for each."""
    p1 = np.array(knots, dtype=np.float64)[:, None]
    p0, p2, p3 = (np.roll(p1, shift, axis=0) for shift in (1, -1, -2))
    t = np.linspace(0, 1, num_per_knot, endpoint=False)[:, None]
    cubic = 3 * (p1 - p2) + p3 - p0
    square = 2 * p0 - 5 * p1 + 4 * p2 - p3
    return (p1 + 0.5 * t * (p2 - p0 + t * (square + t * cubic))).reshape(-1, 2)


def box(left: float, top: float, right: float, bottom: float) -> Outline:
    """An upright rectangle."""
    return polygon((left, top), (right, top), (right, bottom), (left, bottom))


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
        Patch(box(-0.08, -0.95, 0.0, 0.4), tone=0.6),
        Patch(curve((-0.12, -0.9), (-0.1, -0.3), (-0.12, 0.22), (-0.5, 0.27), (-0.85, 0.2))),
        Patch(curve((0.04, -0.72), (0.42, -0.3), (0.68, 0.2), (0.35, 0.24), (0.04, 0.2))),
        Patch(polygon((-0.98, 0.34), (0.98, 0.3), (0.66, 0.84), (-0.68, 0.84)), tone=0.85),
        *(
            Patch(ring(0.0, 0.57, 0.2, 0.09, a, a + 45), (WHITE, RED)[a // 45 % 2])
            for a in range(0, 360, 45)
        ),
    ),
)

_CACTUS = Shape(
    "cactus",
    (SAGE, TEAL, OCHRE),
    (
        Patch(
            curve(
                (-0.2, 0.2), (-0.62, 0.2), (-0.8, -0.05), (-0.78, -0.35), (-0.64, -0.42),
                (-0.5, -0.35), (-0.46, -0.1), (-0.2, -0.12),
            ),
            tone=0.92,
        ),
        Patch(
            curve(
                (0.2, 0.42), (0.6, 0.4), (0.8, 0.15), (0.78, -0.15), (0.64, -0.22),
                (0.5, -0.15), (0.46, 0.1), (0.2, 0.1),
            ),
            tone=0.92,
        ),
        Patch(
            curve(
                (-0.28, 0.92), (-0.3, 0.2), (-0.27, -0.5), (0.0, -0.78), (0.27, -0.5),
                (0.3, 0.2), (0.28, 0.92),
            )
        ),
        *(Patch(disc(x, y, 0.13), PINK) for x, y in around(0.04, -0.74, 0.15, 5)),
        Patch(disc(0.04, -0.74, 0.1), YELLOW),
    ),
)  # fmt: skip

_FISH = Shape(
    "fish",
    (OCHRE, TEAL, PLUM),
    (
        Patch(curve((-0.45, 0.0), (-0.95, -0.45), (-0.8, 0.0), (-0.95, 0.45)), tone=0.85),
        Patch(curve((-0.35, -0.3), (-0.1, -0.7), (0.3, -0.68), (0.4, -0.3)), tone=0.85),
        Patch(curve((-0.15, 0.3), (-0.2, 0.62), (0.1, 0.6), (0.2, 0.3)), tone=0.85),
        Patch(
            curve(
                (-0.62, 0.0), (-0.2, -0.38), (0.25, -0.47), (0.7, -0.3), (0.97, 0.04),
                (0.7, 0.29), (0.25, 0.45), (-0.2, 0.36),
            )
        ),
        Patch(curve((0.36, -0.42), (0.47, -0.38), (0.42, 0.0), (0.47, 0.37), (0.36, 0.4), (0.28, 0.0)), WHITE),
        Patch(disc(0.66, -0.08, 0.15), WHITE),
        Patch(disc(0.69, -0.07, 0.08), BLACK),
    ),
)  # fmt: skip

_GUITAR = Shape(
    "guitar",
    (UMBER, OCHRE, CLAY),
    (
        Patch(box(-0.09, -0.8, 0.09, 0.1), tone=0.6),
        Patch(polygon((-0.15, -1.0), (0.15, -1.0), (0.11, -0.74), (-0.11, -0.74)), tone=0.75),
        Patch(
            curve(
                (0.0, -0.24), (0.3, -0.27), (0.44, -0.05), (0.38, 0.2), (0.58, 0.5), (0.45, 0.86),
                (0.0, 0.95), (-0.45, 0.86), (-0.58, 0.5), (-0.38, 0.2), (-0.44, -0.05), (-0.3, -0.27),
            )
        ),
        Patch(disc(0.0, 0.2, 0.23), CREAM),
        Patch(disc(0.0, 0.2, 0.17), BLACK),
        Patch(box(-0.22, 0.58, 0.22, 0.66), BLACK),
        *(Patch(box(x, -0.1, x + 0.02, 0.6), WHITE) for x in (-0.08, -0.01, 0.06)),
    ),
)  # fmt: skip

_HOUSE = Shape(
    "house",
    (CREAM, CLAY, SLATE),
    (
        Patch(box(0.34, -0.82, 0.56, -0.2), tone=0.7),
        Patch(box(-0.66, -0.15, 0.66, 0.88)),
        Patch(polygon((-0.95, -0.05), (0.0, -0.88), (0.95, -0.05)), tone=0.8),
        Patch(box(0.12, 0.3, 0.44, 0.88), tone=0.6),
        Patch(box(-0.48, 0.16, -0.06, 0.58), WHITE),
        *(
            Patch(box(x, y, x + 0.14, y + 0.14), YELLOW)
            for x in (-0.43, -0.25)
            for y in (0.21, 0.39)
        ),
    ),
)

_LAMP = Shape(
    "lamp",
    (CREAM, SAGE, PLUM),
    (
        Patch(box(-0.08, 0.0, 0.08, 0.75), tone=0.7),
        Patch(curve((-0.45, 0.9), (-0.35, 0.72), (0.0, 0.64), (0.35, 0.72), (0.45, 0.9), (0.0, 0.94)), tone=0.7),
        Patch(disc(0.0, 0.16, 0.17, 0.2), YELLOW),
        Patch(disc(0.0, 0.18, 0.08, 0.1), WHITE),
        Patch(polygon((-0.36, -0.9), (0.36, -0.9), (0.76, 0.1), (-0.76, 0.1))),
    ),
)  # fmt: skip

_MUG = Shape(
    "mug",
    (TEAL, SLATE, UMBER),
    (
        Patch(
            curve(
                (0.4, -0.45), (0.75, -0.5), (0.98, -0.2), (0.95, 0.2), (0.7, 0.48), (0.4, 0.52),
                (0.4, 0.3), (0.62, 0.26), (0.74, 0.1), (0.76, -0.12), (0.65, -0.27), (0.4, -0.24),
            ),
            tone=0.9,
        ),
        Patch(curve((-0.7, -0.68), (-0.12, -0.72), (0.46, -0.68), (0.44, 0.0), (0.38, 0.74), (-0.12, 0.84), (-0.62, 0.74), (-0.68, 0.0))),
        Patch(disc(-0.12, -0.68, 0.56, 0.13), tone=1.15),
        Patch(disc(-0.12, -0.67, 0.46, 0.09), tone=0.4),
        Patch(
            curve(
                (-0.12, 0.36), (-0.4, 0.06), (-0.38, -0.13), (-0.25, -0.19), (-0.12, -0.06),
                (0.01, -0.19), (0.14, -0.13), (0.16, 0.06),
            ),
            RED,
        ),
    ),
)  # fmt: skip

_MUSHROOM = Shape(
    "mushroom",
    (CLAY, PLUM, UMBER),
    (
        Patch(curve((-0.2, 0.0), (0.2, 0.0), (0.22, 0.5), (0.32, 0.9), (0.0, 0.95), (-0.32, 0.9), (-0.22, 0.5)), tone=1.3),
        Patch(disc(0.0, 0.08, 0.72, 0.14), tone=0.7),
        Patch(curve((-0.92, 0.08), (-0.75, -0.42), (-0.35, -0.75), (0.0, -0.82), (0.35, -0.75), (0.75, -0.42), (0.92, 0.08), (0.45, 0.06), (0.0, 0.02), (-0.45, 0.06))),
        Patch(disc(-0.32, -0.42, 0.16, 0.14), WHITE),
        Patch(disc(0.06, -0.56, 0.11, 0.09), WHITE),
        Patch(disc(0.02, -0.24, 0.12, 0.11), WHITE),
    ),
)  # fmt: skip

SHAPES = (_BOAT, _CACTUS, _FISH, _GUITAR, _HOUSE, _LAMP, _MUG, _MUSHROOM)
"""The C classes, in the order of their labels 1…C."""

CLUTTER = (
    Shape("crate", BODY_COLORS, (Patch(box(-0.8, -0.8, 0.8, 0.8)), Patch(box(-0.8, -0.2, 0.8, 0.2), tone=0.8))),
    Shape("pebble", BODY_COLORS, (Patch(curve((-0.9, 0.1), (-0.3, -0.6), (0.5, -0.5), (0.9, 0.2), (0.2, 0.6))),)),
    Shape("ring", BODY_COLORS, (Patch(ring(0, 0, 0.9, 0.45, 0, 360)),)),
    Shape("stick", BODY_COLORS, (Patch(curve((-1.0, 0.1), (-0.9, -0.1), (0.9, -0.15), (1.0, 0.05), (0.1, 0.18))),)),
    Shape("wedge", BODY_COLORS, (Patch(polygon((-0.8, 0.7), (0.0, -0.8), (0.8, 0.7))),)),
)  # fmt: skip
"""Shapes that belong to no class."""
