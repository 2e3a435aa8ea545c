import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from wsss.explain.sanity.check_image import Similarity, similarity
from wsss.explain.sanity.pictures import curves_svg
from wsss.explain.sanity.verdicts import (
    CHANCE,
    CHANGES,
    CLASSLESS,
    FIGURES,
    SURVIVES,
    UNCHANGED,
    curve_of,
)
from wsss.metrics.explanation.similarity import structural_similarity


def curve(*pairs):
    return curve_of([[[Similarity(*pair)] for pair in pairs]])


@pytest.mark.parametrize(
    ("nothing", "head", "everything", "verdict"),
    [
        ((1, 1), (1, 1), (1, 1), UNCHANGED),
        ((1, 1), (0.2, 0.2), (0.9, 0.9), UNCHANGED),
        ((1, 1), (0.2, 0.2), (0.9, 0.89), SURVIVES),
        ((1, 1), (0.9, 0.9), (0.1, 0.1), CLASSLESS),
        ((1, 1), (0.95, 0.8), (0.5, 0.1), SURVIVES),
        ((1, 1), (0.95, 0.8), (0.49, 0.99), CHANGES),
        ((0, 0), (0, 0), (0, 0), CHANCE),
    ],
)
def test_the_rule(nothing, head, everything, verdict):
    assert curve(nothing, head, (0.3, 0.3), everything).verdict == verdict


def test_a_curve_is_the_mean_over_images_of_the_mean_over_their_classes():
    first = [[Similarity(1.0, 0.5), Similarity(0.0, 0.5)]]
    second = [[Similarity(0.1, 1.0)]]
    found = curve_of([first, second])
    assert found.means[FIGURES[0]] == (pytest.approx((0.5 + 0.1) / 2),)
    assert found.means[FIGURES[1]] == (pytest.approx(0.75),)
    low, high = found.intervals[FIGURES[0]][0]
    assert (low, high) == (pytest.approx(0.1), pytest.approx(0.5))
    assert curve((1, 1), (0, 0)).intervals[FIGURES[0]] == (None, None)


def test_intervals_are_those_of_the_normal_law_for_many_images():
    values = np.random.default_rng(0).normal(0.3, 0.1, 400)
    found = curve_of([[[Similarity(float(value), 0.0)]] for value in values])
    low, high = found.intervals[FIGURES[0]][0]
    half = 1.96 * values.std() / 20
    assert (low, high) == (
        pytest.approx(values.mean() - half, abs=0.002),
        pytest.approx(values.mean() + half, abs=0.002),
    )


def test_a_map_that_orders_nothing_has_no_rank_correlation():
    heat = np.random.default_rng(0).random((20, 20)).astype(np.float32)
    assert similarity(heat, heat) == Similarity(pytest.approx(1), pytest.approx(1))
    expected = structural_similarity(heat, np.zeros_like(heat))
    for other in (np.zeros_like(heat), np.full_like(heat, np.nan)):
        assert similarity(heat, other) == Similarity(0, expected)


def test_lines_of_the_chart_go_through_the_means():
    found = curves_svg({"a<b": curve((1, 1), (0.5, 0), (-1, 0.25))}, ["nothing", "head", "stem"])
    root = ElementTree.fromstring(found)
    lines = [one for one in root.iter() if one.tag.endswith("polyline")]
    assert [one.attrib["points"] for one in lines] == [
        "0.0,0.0 210.0,60.0 420.0,240.0", "0.0,0.0 210.0,120.0 420.0,90.0",
    ]  # fmt: skip
    assert "a<b" in [one.text for one in root.iter()]
