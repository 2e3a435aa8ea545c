"""Geometry of line charts, drawn as SVG by a template."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wsss.report.formatting import number

WIDTH, HEIGHT = 380, 230
"""Drawing area in SVG units, about the width of a phone, for legible text."""
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 12, 36
MAX_POINTS = 200
"""Longer curves are thinned to this many points."""
MAX_DOTS = 40
"""Longer curves are drawn as a line alone."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    position: float
    text: str


@dataclass(frozen=True, slots=True)
class Marker:
    """A labelled point of a chart."""

    x: float
    y: float
    text: str
    kind: str
    """Its CSS class."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A line chart, in SVG units."""

    title: str
    summary: str
    """The chart in words, for screen readers."""
    x_label: str
    kind: str
    """The CSS class of its line."""
    path: str
    dots: tuple[Marker, ...]
    markers: tuple[Marker, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def line_chart(
    points: Points,
    *,
    title: str,
    summary: str,
    x_label: str,
    kind: str,
    markers: Sequence[Marker] = (),
) -> Chart:
    """Lay out a line through points; ticks of whole-numbered abscissae are whole numbers.

    Args:
        points: abscissa and value, ascending, at least one.
        title: what is drawn.
        summary: the chart in words.
        x_label: label of the abscissa.
        kind: CSS class of the line.
        markers: labelled points, in data units.
    """
    everything = [*points, *((marker.x, marker.y) for marker in markers)]
    whole = all(float(x).is_integer() for x, _ in points)
    points = thinned(points)
    x_low, x_high = padded([x for x, _ in everything], 0.0)
    y_low, y_high = padded([y for _, y in everything], 0.06)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)
        up = (y - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)
        return round(LEFT + across, 1), round(HEIGHT - BOTTOM - up, 1)

    placed = [place(x, y) for x, y in points]
    few = len(points) <= MAX_DOTS
    x_marks = [x for x in ticks(x_low, x_high, 6) if x.is_integer() or not whole]
    return Chart(
        title=title,
        summary=summary,
        x_label=x_label,
        kind=kind,
        path="M" + " L".join(f"{x:g},{y:g}" for x, y in placed),
        dots=tuple(
            Marker(*spot, f"{x_label} {number(x)}: {number(y)}", kind)
            for spot, (x, y) in zip(placed, points, strict=True)
            if few
        ),
        markers=tuple(Marker(*place(m.x, m.y), m.text, m.kind) for m in markers),
        x_ticks=tuple(Tick(place(x, y_low)[0], number(x)) for x in x_marks),
        y_ticks=tuple(Tick(place(x_low, y)[1], number(y)) for y in ticks(y_low, y_high, 5)),
    )


def thinned(points: Points, most: int = MAX_POINTS) -> list[tuple[float, float]]:
    """At most `most` points: means of equal runs of neighbours."""
    run = math.ceil(len(points) / most)
    runs = (points[start : start + run] for start in range(0, len(points), run))
    return [
        (sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in runs
    ]


def padded(values: Sequence[float], fraction: float) -> tuple[float, float]:
    """The range of values, with `fraction` of it added on both sides; never empty."""
    low, high = min(values), max(values)
    if low == high:
        half = abs(low) / 2 or 0.5
        return low - half, high + half
    return low - fraction * (high - low), high + fraction * (high - low)


def ticks(low: float, high: float, most: int) -> list[float]:
    """One to `most` (≥ 4) round numbers from `low` to `high`, their distance 1, 2 or 5 · 10ⁿ.

    Example:
        >>> ticks(0.0, 1.0, 6)
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    smallest = (high - low) / (most - 1) * (1 - 1e-9)
    power = 10.0 ** math.floor(math.log10(smallest))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= smallest)
    digits = max(0, 1 - math.floor(math.log10(step)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, digits) for index in range(first, last + 1)]
