"""Weak/bound, and that all of it is stamped where the report shows it."""

import pytest

from wsss.report.bound import SCORES, best_against_best, weak_over_bound
from wsss.stages import CHAIN, GOALS

NUMBERS = {
    "evaluate": {"segmenter_miou": 0.44, "segmenter_tta_crf_miou": 0.474, "seeds_miou": 0.4},
    "oracle_bound": {"bound_miou": 0.589, "bound_tta_crf_miou": 0.62, "bound_train_miou": 0.72},
    "oracle_bound_same_schedule": {
        "bound_same_schedule_miou": 0.502,
        "bound_same_schedule_tta_crf_miou": 0.531,
    },
}


def test_every_score_is_a_fraction_of_that_of_each_bound():
    found = weak_over_bound(NUMBERS)
    assert tuple(one.bound for one in found) == SCORES
    assert {one.name: round(100 * one.ratio, 1) for one in found} == {
        "weak_over_bound": 74.7,
        "weak_over_bound_tta_crf": 76.5,
        "weak_over_bound_same_schedule": 87.6,
        "weak_over_bound_same_schedule_tta_crf": 89.3,
    }
    assert best_against_best(found) == found[1]
    assert best_against_best(found[2:]) == found[3]


def test_the_best_score_of_each_is_compared_whichever_predictions_have_it():
    worse = {**NUMBERS, "oracle_bound": {"bound_miou": 0.589, "bound_tta_crf_miou": 0.565}}
    best = best_against_best(weak_over_bound(worse))
    assert best is not None
    assert (best.weak_miou, best.bound_miou, best.bound) == (0.474, 0.589, "bound")


@pytest.mark.parametrize(
    ("stage", "numbers", "left"),
    [
        ("evaluate", {}, 0),
        ("oracle_bound", {}, 2),
        ("oracle_bound", {"bound_miou": 0.0, "bound_tta_crf_miou": 0.62}, 3),
        ("evaluate", {"segmenter_miou": 0.0}, 2),
    ],
)
def test_where_a_score_is_missing_or_nothing_was_learnt_there_is_no_fraction(stage, numbers, left):
    found = weak_over_bound({**NUMBERS, stage: numbers})
    assert len(found) == left
    assert all(one.bound_miou > 0 for one in found)
    assert (best_against_best(found) is None) == (left == 0)


def test_the_stages_of_the_bound_come_between_evaluation_and_report():
    assert CHAIN[-4:] == ("evaluate", *list(NUMBERS)[1:], "report")
    assert {*list(NUMBERS)[1:]} <= {*GOALS}
