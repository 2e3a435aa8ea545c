import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsss.report.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    MAX_POINTS,
    TOP,
    line_chart,
    lines_chart,
    thinned,
    ticks,
)

NUMBERS = st.floats(-1e6, 1e6)


def chart(points, **more):
    return line_chart(points, title="t", summary="s", x_label="x", kind="k", **more)


@given(NUMBERS, st.floats(1e-3, 1e6), st.integers(4, 8))
def test_ticks_are_few_and_inside(low: float, width: float, most: int):
    found = ticks(low, low + width, most)
    assert 1 <= len(found) <= most
    slack = 1e-6 * max(abs(low), width)
    assert all(low - slack <= tick <= low + width + slack for tick in found)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 100, [0, 20, 40, 60, 80, 100]), (0.05, 0.9, [0.2, 0.4, 0.6, 0.8])],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]):
    assert ticks(low, high, 6) == expected


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=30))
def test_every_point_lies_in_the_frame(points):
    for dot in chart(sorted(points)).dots:
        assert dot.x >= LEFT
        assert TOP <= dot.y <= HEIGHT - BOTTOM


def test_higher_values_are_drawn_higher():
    low, high = chart([(0, 1), (1, 2)]).dots
    assert low.x < high.x
    assert low.y > high.y


def test_one_point_is_a_chart():
    assert len(chart([(3, 0.0)]).dots) == 1


@pytest.mark.parametrize(
    ("points", "expected"),
    [([(1, 0.5), (3, 0.2)], ["1", "2", "3"]), ([(0.5, 1), (1, 2)], ["0.5", "0.6", "0.7"])],
)
def test_what_counts_is_marked_at_whole_numbers(points, expected: list[str]):
    assert [tick.text for tick in chart(points).x_ticks][:3] == expected


def test_thinning_keeps_the_mean():
    points = [(float(x), float(x % 7)) for x in range(3 * MAX_POINTS)]
    thin = thinned(points)
    assert len(thin) == MAX_POINTS
    assert sum(y for _, y in thin) / MAX_POINTS == pytest.approx(
        sum(y for _, y in points) / len(points)
    )


def test_a_short_curve_is_not_thinned():
    assert thinned([(1, 2), (3, 4)]) == [(1, 2), (3, 4)]


def test_several_lines_share_one_frame():
    curves = [("a", "red", [(0, 0), (10, 0.5)]), ("b", "blue", [(0, 1)])]
    several = lines_chart(curves, title="t", summary="s", x_label="x")
    alone = chart([(0, 0), (10, 0.5), (10, 1)])
    first, second = several.lines
    assert (first.text, first.color) == ("a", "red")
    assert first.path == alone.path.rpartition(" L")[0]
    assert several.y_ticks == alone.y_ticks
    assert second.width > first.width  # one point is a dot
    assert second.path.split()[0].endswith(alone.path.rpartition(",")[2])
