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
LINE_WIDTH, DOT_WIDTH = 2.2, 7.0
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
class Line:
    """A line of a chart with several."""

    text: str
    """What it is of."""
    color: str
    """Of CSS."""
    path: str
    width: float


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
    lines: tuple[Line, ...] = ()
    """In place of the one line, where there are several."""
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
    frame = Frame([*points, *((marker.x, marker.y) for marker in markers)], points)
    points = thinned(points)
    placed = [frame.place(x, y) for x, y in points]
    few = len(points) <= MAX_DOTS
    return Chart(
        title=title,
        summary=summary,
        x_label=x_label,
        kind=kind,
        path=path_through(placed),
        dots=tuple(
            Marker(*spot, f"{x_label} {number(x)}: {number(y)}", kind)
            for spot, (x, y) in zip(placed, points, strict=True)
            if few
        ),
        markers=tuple(Marker(*frame.place(m.x, m.y), m.text, m.kind) for m in markers),
        x_ticks=frame.x_ticks(),
        y_ticks=frame.y_ticks(),
    )


def lines_chart(
    curves: Sequence[tuple[str, str, Points]], *, title: str, summary: str, x_label: str
) -> Chart:
    """Lay out several lines in one frame.

    Args:
        curves: of each line what it is of, its colour in CSS, and its points, ascending.
        title: what is drawn.
        summary: the chart in words.
        x_label: label of the abscissa.
    """
    everything = [point for _, _, points in curves for point in points]
    frame = Frame(everything, everything)
    return Chart(
        title=title,
        summary=summary,
        x_label=x_label,
        kind="",
        path="",
        dots=(),
        markers=(),
        x_ticks=frame.x_ticks(),
        y_ticks=frame.y_ticks(),
        lines=tuple(
            _line(text, color, [frame.place(x, y) for x, y in thinned(points)])
            for text, color, points in curves
        ),
    )


def _line(text: str, color: str, placed: Points) -> Line:
    """A line through points in SVG units; a dot where there is one point."""
    if len(placed) == 1:
        return Line(text, color, f"{path_through(placed)} h0", DOT_WIDTH)
    return Line(text, color, path_through(placed), LINE_WIDTH)


class Frame:
    """The drawing area of a chart, from data to SVG units."""

    def __init__(self, everything: Points, points: Points) -> None:
        """Make room for everything.

        Args:
            everything: points, and what else has to fit in.
            points: those that tell whether the abscissa counts in whole numbers.
        """
        self.whole = all(float(x).is_integer() for x, _ in points)
        self.x_low, self.x_high = padded([x for x, _ in everything], 0.0)
        self.y_low, self.y_high = padded([y for _, y in everything], 0.06)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """A point in SVG units."""
        across = (x - self.x_low) / (self.x_high - self.x_low) * (WIDTH - LEFT - RIGHT)
        up = (y - self.y_low) / (self.y_high - self.y_low) * (HEIGHT - TOP - BOTTOM)
        return round(LEFT + across, 1), round(HEIGHT - BOTTOM - up, 1)

    def x_ticks(self) -> tuple[Tick, ...]:
        """Marks of the abscissa; those of whole-numbered ones are whole numbers."""
        marks = ticks(self.x_low, self.x_high, 6)
        marks = [x for x in marks if x.is_integer() or not self.whole]
        return tuple(Tick(self.place(x, self.y_low)[0], number(x)) for x in marks)

    def y_ticks(self) -> tuple[Tick, ...]:
        """Marks of the ordinate."""
        marks = ticks(self.y_low, self.y_high, 5)
        return tuple(Tick(self.place(self.x_low, y)[1], number(y)) for y in marks)


def path_through(placed: Points) -> str:
    """The SVG path through points in SVG units."""
    return "M" + " L".join(f"{x:g},{y:g}" for x, y in placed)


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
