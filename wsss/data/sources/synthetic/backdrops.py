"""Backdrops of the synthetic data set: a table of places and their motifs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from jaxtyping import UInt8

from wsss.data.sources.synthetic.shapes import CLAY, CREAM, OCHRE, RGB, SAGE, SLATE, TEAL, UMBER

Canvas = UInt8[np.ndarray, "h w 3"]
Motif = Callable[[Canvas, np.random.Generator], None]
"""Paints something at random onto an RGB canvas, in place."""


@dataclass(frozen=True, slots=True)
class Backdrop:
    """A place: a vertical colour gradient with motifs painted over it."""

    name: str
    top: RGB
    bottom: RGB
    hides: tuple[RGB, ...]
    """Body colours with too little contrast to this place."""
    motifs: tuple[Motif, ...]

    def paint(self, height: int, width: int, rng: np.random.Generator) -> Canvas:
        """Draw the place, RGB uint8 [height, width, 3]."""
        gradient = np.array([[self.top], [self.bottom]], dtype=np.uint8)
        canvas = cv2.resize(gradient, (width, height), interpolation=cv2.INTER_LINEAR)
        for motif in self.motifs:
            motif(canvas, rng)
        return canvas


def ridges(
    canvas: Canvas, rng: np.random.Generator, colors: tuple[RGB, ...], start: float, swing: float
) -> None:
    """Wavy bands one before the other, from `start` (fraction of the height) to the bottom.

    The waves swing by `swing` (fraction of the height).
    """
    height, width = canvas.shape[:2]
    x = np.linspace(0, width, 24)
    tops = np.linspace(start, 1, len(colors), endpoint=False) + rng.uniform(-0.04, 0.04)
    for top, color in zip(tops, colors, strict=True):
        waves, phase = rng.uniform(0.8, 2.2), rng.uniform(0, 2 * np.pi)
        y = height * (top + swing * np.sin(2 * np.pi * waves * x / width + phase))
        corners = [*zip(x, y, strict=True), (width, height), (0, height)]
        cv2.fillPoly(canvas, [np.array(corners, dtype=np.int32)], color, cv2.LINE_AA)


def stripes(
    canvas: Canvas, rng: np.random.Generator, color: RGB, period: float, share: float
) -> None:
    """Upright bars, `period` (fraction of the width) apart, each `share` of that wide."""
    height, width = canvas.shape[:2]
    for left in np.arange(rng.uniform(-period, 0), 1, period):
        sway = rng.uniform(-0.15, 0.15, size=2) * period
        corners = [[left, 0], [left + share * period, 0]]
        corners += [[left + share * period + sway[0], 1], [left + sway[1], 1]]
        points = np.array(corners) * [width, height]
        cv2.fillPoly(canvas, [points.astype(np.int32)], color, cv2.LINE_AA)


def lattice(
    canvas: Canvas, rng: np.random.Generator, color: RGB, period: float, tilt_deg: float
) -> None:
    """A grid of lines, `period` (fraction of the width) apart, turned by `tilt_deg`."""
    height, width = canvas.shape[:2]
    reach = height + width
    centre = np.array([width / 2, height / 2]) + rng.uniform(-0.5, 0.5, size=2) * period * width
    for angle in np.radians([tilt_deg, tilt_deg + 90]):
        along, across = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        for offset in np.arange(-reach, reach, period * width):
            ends = [centre + offset * across + side * reach * along for side in (-1, 1)]
            start, stop = (tuple(map(int, end)) for end in ends)
            cv2.line(canvas, start, stop, color, 1, cv2.LINE_AA)


def spots(
    canvas: Canvas,
    rng: np.random.Generator,
    colors: tuple[RGB, ...],
    count: int,
    radius: float,
    flatness: float = 1.0,
    lowest: float = 1.0,
    filled: bool = True,
) -> None:
    """About `count` ellipses above `lowest` (fraction of the height).

    They are up to `radius` (fraction of the width) large and `flatness` times as high as wide.
    """
    height, width = canvas.shape[:2]
    for _ in range(rng.integers(count // 2, count + 1)):
        centre = (int(rng.uniform(0, width)), int(rng.uniform(0, lowest) * height))
        size = radius * width * rng.uniform(0.4, 1)
        axes = (round(size), round(size * flatness))
        color = colors[rng.integers(len(colors))]
        cv2.ellipse(canvas, centre, axes, 0, 0, 360, color, -1 if filled else 1, cv2.LINE_AA)


_CLOUDS = partial(
    spots, colors=((236, 240, 244), (246, 246, 246)), count=8, radius=0.2, flatness=0.3, lowest=0.4
)

BACKDROPS = (
    Backdrop(
        "lake",
        (176, 206, 226),
        (150, 190, 214),
        (SLATE, TEAL),
        (
            _CLOUDS,
            partial(
                ridges,
                colors=((70, 120, 160), (84, 138, 176), (62, 112, 154), (78, 130, 170)),
                start=0.45,
                swing=0.015,
            ),
        ),
    ),
    Backdrop(
        "desert",
        (250, 222, 184),
        (244, 196, 142),
        (OCHRE,),
        (
            partial(spots, colors=((252, 240, 204),), count=2, radius=0.12, lowest=0.3),
            partial(
                ridges,
                colors=((226, 168, 108), (214, 150, 92), (202, 136, 80)),
                start=0.42,
                swing=0.06,
            ),
        ),
    ),
    Backdrop(
        "reef",
        (44, 116, 170),
        (14, 48, 96),
        (SLATE, TEAL),
        (
            partial(ridges, colors=((24, 70, 98), (34, 80, 90)), start=0.75, swing=0.05),
            partial(
                spots,
                colors=((150, 200, 226), (110, 170, 210)),
                count=30,
                radius=0.03,
                filled=False,
            ),
        ),
    ),
    Backdrop(
        "stage",
        (124, 22, 34),
        (84, 10, 24),
        (CLAY,),
        (
            partial(stripes, color=(150, 34, 44), period=0.14, share=0.5),
            partial(stripes, color=(68, 8, 20), period=0.14, share=0.2),
        ),
    ),
    Backdrop(
        "meadow",
        (150, 196, 236),
        (214, 230, 240),
        (SAGE,),
        (
            _CLOUDS,
            partial(
                ridges,
                colors=((134, 176, 96), (112, 160, 78), (92, 142, 64)),
                start=0.5,
                swing=0.05,
            ),
        ),
    ),
    Backdrop(
        "parlour",
        (190, 160, 96),
        (172, 140, 80),
        (OCHRE, CREAM),
        (
            partial(stripes, color=(204, 178, 118), period=0.16, share=0.5),
            partial(spots, colors=((150, 112, 60),), count=24, radius=0.02),
        ),
    ),
    Backdrop(
        "kitchen",
        (206, 220, 214),
        (186, 202, 198),
        (CREAM,),
        (partial(lattice, color=(150, 166, 164), period=0.16, tilt_deg=0),),
    ),
    Backdrop(
        "forest",
        (52, 82, 48),
        (40, 56, 32),
        (SAGE, UMBER),
        (
            partial(stripes, color=(50, 44, 34), period=0.24, share=0.3),
            partial(
                spots,
                colors=((64, 98, 52), (46, 74, 40), (88, 112, 56)),
                count=50,
                radius=0.07,
                flatness=0.7,
            ),
        ),
    ),
)
"""One place for every class, in the order of `SHAPES`."""
