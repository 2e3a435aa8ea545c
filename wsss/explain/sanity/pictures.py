"""Pictures of a sanity check: curves of all methods, and maps of an image network by network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from wsss.explain.contact_sheet import OtherImage, resized, shortened, stacked
from wsss.explain.sanity.check_image import GAUSSIAN, RANDOM, Checked
from wsss.explain.sanity.verdicts import FIGURES, Curve
from wsss.report.overlays import heat_overlay
from wsss.report.panels import Panel, fit, strip

TITLES = {"rank_correlation": "rank correlation", "structural_similarity": "structural similarity"}
SHEET_HEIGHT_PX = 110
WIDTH, HEIGHT, LEFT, TOP = 420, 240, 40, 34
"""Of a chart's area, and the room beside it, in SVG units."""
LEGEND_WIDTH, LINE_HEIGHT, NAMES_HEIGHT = 190, 17, 110
BASELINES = (RANDOM, GAUSSIAN)


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    color: str
    is_baseline: bool
    points: str


def curves_svg(curves: Mapping[str, Curve], steps: Sequence[str]) -> str:
    """A chart of each figure as an SVG file: a line a method, dashed those of the baselines.

    Args:
        curves: by the method.
        steps: what has been drawn anew, in their order, from nothing on.
    """
    lowest = min(min(one.means[figure]) for one in curves.values() for figure in FIGURES)
    low = -0.25 if lowest >= -0.25 else -1.0  # Negative ones are rare, and mostly small.
    charts = [
        {
            "title": TITLES[figure],
            "left": LEFT + index * (WIDTH + LEFT + 20),
            "lines": [
                _line(name, n, one, figure, low) for n, (name, one) in enumerate(curves.items())
            ],
        }
        for index, figure in enumerate(FIGURES)
    ]
    marks = [mark for mark in (-1.0, -0.5, 0.0, 0.25, 0.5, 0.75, 1.0) if mark >= low]
    environment = Environment(
        loader=PackageLoader("wsss.explain.sanity"), undefined=StrictUndefined, autoescape=True,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("curves.svg.j2").render(
        charts=charts,
        legend=charts[0]["lines"],
        legend_left=LEFT + len(FIGURES) * (WIDTH + LEFT + 20),
        line_height=LINE_HEIGHT,
        width=LEFT + len(FIGURES) * (WIDTH + LEFT + 20) + LEGEND_WIDTH,
        height=TOP + max(HEIGHT + NAMES_HEIGHT, LINE_HEIGHT * (len(curves) + 1)),
        area=(WIDTH, HEIGHT, TOP),
        steps=[(_across(n, len(steps)), name) for n, name in enumerate(steps)],
        marks=[(_up(mark, low), f"{mark:g}".replace("-", "−")) for mark in marks],
    )


def maps_sheet(seen: Checked, names: Sequence[str], height_px: int = SHEET_HEIGHT_PX) -> OtherImage:
    """A row for each method: the image, and its first class's map of every network.

    Args:
        seen: at least one method.
        names: of the networks, the trained one first.
        height_px: height of the pictures.
    """
    height, width = fit(seen.image.shape[0], seen.image.shape[1], height_px)
    picture = resized(seen.image, height, width)
    rows = []
    for method, maps in seen.maps.items():
        panels = [Panel(shortened(method, width), picture)]
        for name, heat in zip(names, maps, strict=True):
            shown = np.nan_to_num(np.asarray(cv2.resize(heat[0], (width, height))))
            panels.append(Panel(shortened(name, width), heat_overlay(picture, shown)))
        rows.append(strip(panels))
    return stacked(rows)


def _line(name: str, position: int, curve: Curve, figure: str, low: float) -> _Line:
    values = curve.means[figure]
    points = [
        f"{_across(n, len(values)):.1f},{_up(value, low):.1f}" for n, value in enumerate(values)
    ]
    # Hues a golden angle apart, so that neighbours are far apart.
    color = f"hsl({round(137.508 * position + 210) % 360} 62% 48%)"
    return _Line(name, color, name in BASELINES, " ".join(points))


def _across(step: int, count: int) -> float:
    return WIDTH * step / max(count - 1, 1)


def _up(value: float, low: float) -> float:
    """From `low` … 1 to the lower and upper edge."""
    return round(HEIGHT * (1 - value) / (1 - low), 1)
