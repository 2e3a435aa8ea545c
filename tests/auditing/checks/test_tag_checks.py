"""Checks of tags on tables that are drawn, beside what was planted in them."""

import numpy as np
import pytest
from scipy.stats import fisher_exact
from sklearn.metrics import roc_auc_score

from wsss.auditing.checks.background_evidence import auc, background_evidence
from wsss.auditing.checks.inseparable_classes import inseparable_classes
from wsss.auditing.checks.missing_tag import missing_tags
from wsss.auditing.checks.tag_table import TagTable
from wsss.auditing.checks.wrong_tag import MISTAKES, wrong_probability, wrong_tags

NAMES = ("cat", "dog", "fox")


def table_of(shown, tags, **changed):
    """A table whose numbers follow what images show, not what they are tagged with."""
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.05, 0.05, shown.shape)
    probabilities = np.where(shown, 0.85, 0.1) + noise
    columns = {
        "probabilities": probabilities,
        "compactness": np.where(shown, 0.6, 0.2) + noise,
        "best_cells": probabilities + 0.02,
        "erased": probabilities,
        "filled": np.where(tags, 0.1 + noise, np.nan),
        "outside": np.where(tags, 0.2, np.nan),
    } | changed
    ids = tuple(f"{row:03d}" for row in range(len(tags)))
    return TagTable(ids, ("train",) * len(tags), NAMES, tags, **columns)


@pytest.fixture
def shown():
    return np.random.default_rng(1).random((60, 3)) < 0.4


def test_wrong_tags_are_first_and_alone_flagged(shown):
    tags = shown.copy()
    wrong = [(row, int(np.flatnonzero(~shown[row])[0])) for row in (3, 17, 40)]
    for row, column in wrong:
        tags[row, column] = True
    found = wrong_tags(table_of(shown, tags, best_cells=np.where(shown, 0.9, 0.02)), 6)
    expected = {(f"{row:03d}", NAMES[column]) for row, column in wrong}
    assert {(one.image, one.label) for one in found.findings[:3]} == expected
    assert {(one.image, one.label) for one in found.findings if one.flagged} == expected
    assert found.examined == tags.sum()
    assert len(found.findings) == 6


def test_a_tag_is_as_probably_wrong_as_counted_over_all_explanations():
    """What is there, how probable that is, and how probable it is to be tagged `cat` alone."""
    explanations = {(True, False): 1.0, (True, True): MISTAKES, (False, False): MISTAKES,
                    (False, True): MISTAKES}  # fmt: skip
    rng = np.random.default_rng(4)
    best = rng.random((20, 3))
    best[:, 2] = rng.random(20) * best[:, 1]  # A third class, less probable than the second.
    tags = np.tile([True, False, False], (20, 1))
    found = wrong_probability(best, tags)
    for (cat, dog, _), probability in zip(best, found[:, 0], strict=True):
        weights = {
            state: (cat if state[0] else 1 - cat) * (dog if state[1] else 1 - dog) * tagged
            for state, tagged in explanations.items()
        }
        wrong = sum(weight for (is_there, _), weight in weights.items() if not is_there)
        assert probability == pytest.approx(wrong / sum(weights.values()))
    np.testing.assert_array_equal(found[:, 1:], 0)


def test_a_tag_is_the_more_probably_wrong_the_surer_another_class_is():
    """Where the other class is surely there, a mistake is sure: the rest is the tag's own."""
    best, tags = np.tile([0.3, 0.0], (5, 1)), np.tile([True, False], (5, 1))
    best[:, 1] = np.linspace(0, 1, 5)
    found = wrong_probability(best, tags)[:, 0]
    assert (np.diff(found) > 0).all()
    assert found[0] == pytest.approx(MISTAKES * 0.7 / (MISTAKES * 0.7 + 0.3))
    assert found[-1] == pytest.approx(0.7)
    every = wrong_probability(best, np.ones((5, 2), dtype=bool))[:, 0]
    np.testing.assert_allclose(every, found[0])  # A class with a tag is none that lacks one.


def test_certain_probabilities_give_certain_answers():
    best = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    found = wrong_probability(best, np.tile([True, False], (4, 1)))[:, 0]
    np.testing.assert_array_equal(found, [1, 1, 0, 0])


def test_the_class_that_is_seen_in_the_stead_of_a_tag_is_named(shown):
    tags = shown.copy()
    tags[5], tags[6] = [True, False, False], [True, False, False]
    best = np.where(tags, 0.9, 0.05)
    best[5], best[6] = [0.05, 0.1, 0.8], [0.01, 0.1, 0.2]
    found = {(one.image, one.label): one for one in wrong_tags(
        table_of(shown, tags, best_cells=best), 6).findings}  # fmt: skip
    taken, spurious = found["005", "cat"], found["006", "cat"]
    assert taken.flagged
    assert spurious.flagged
    assert "“fox”" in taken.advice
    assert "fox" not in spurious.advice
    assert taken.evidence["untagged"] == 0.8


def test_missing_tags_are_first_and_alone_flagged(shown):
    tags = shown.copy()
    lost = [(row, int(np.flatnonzero(shown[row])[0])) for row in np.flatnonzero(shown.any(1))[:4]]
    for row, column in lost:
        tags[row, column] = False
    found = missing_tags(table_of(shown, tags), 6)
    expected = {(f"{row:03d}", NAMES[column]) for row, column in lost}
    assert {(one.image, one.label) for one in found.findings[:4]} == expected
    assert {one.image for one in found.findings if one.flagged} <= {one for one, _ in expected}


def test_a_class_that_goes_with_the_tagged_objects_is_not_flagged(shown):
    tags = shown.copy()
    row = int(np.flatnonzero(shown.any(1))[0])
    tags[row, np.flatnonzero(shown[row])[0]] = False
    gone = np.full(shown.shape, 0.01)
    assert not missing_tags(table_of(shown, tags, erased=gone), 6).flagged


@pytest.mark.parametrize("check", [wrong_tags, missing_tags])
def test_nothing_is_flagged_where_all_tags_are_right_but_chance(check, shown):
    found = check(table_of(shown, shown), 6)
    assert not [one for one in found.findings if one.flagged and one.score > 0.5]


@pytest.mark.parametrize("check", [wrong_tags, missing_tags])
def test_classes_of_all_images_or_none_are_let_be(check, shown):
    tags = shown.copy()
    tags[:, 0], tags[:, 1] = True, False
    assert {one.label for one in check(table_of(shown, tags), 6).findings} == {"fox"}


def test_area_under_the_curve_is_that_of_another_library():
    rng = np.random.default_rng(2)
    higher, lower = rng.integers(0, 9, 30) / 9, rng.integers(0, 7, 50) / 9
    expected = roc_auc_score([1] * 30 + [0] * 50, [*higher, *lower])
    assert auc(higher, lower) == pytest.approx(expected)


def test_a_class_that_outlives_its_object_is_flagged(shown):
    filled = np.where(shown, 0.1, np.nan) + np.random.default_rng(3).normal(0, 0.02, shown.shape)
    filled[:, 1] = np.where(shown[:, 1], 0.9, np.nan)
    found = background_evidence(table_of(shown, shown, filled=filled), 3)
    assert [one.label for one in found.findings if one.flagged] == ["dog"]
    assert found.findings[0].label == "dog"
    assert {*found.findings[0].images} <= {f"{row:03d}" for row in np.flatnonzero(shown[:, 1])}


def surviving(tags, names, survivals):
    """A table in which each class is still told from such a share of the other images.

    Survivals are those of the classes in their order; more than there are classes are left out.
    """
    probabilities, filled = np.zeros(tags.shape), np.full(tags.shape, np.nan)
    for column, survival in zip(range(len(names)), survivals, strict=False):
        others = np.flatnonzero(~tags[:, column])
        probabilities[others, column] = np.arange(len(others)) / len(others)
        filled[tags[:, column], column] = survival - 1e-9
    images = len(tags)
    return TagTable(
        tuple(map(str, range(images))), ("train",) * images, names, tags, probabilities, filled,
        probabilities, probabilities, filled, filled,
    )  # fmt: skip


def test_a_class_is_flagged_by_its_distance_to_the_median_class():
    """Survivals 0.4, 0.5, 0.6, and 0.85 or 0.75: only the former is 0.8 and two deviations above.

    The median is 0.55, the median distance to it 0.1 at most, a deviation 1.4826 times that.
    """
    images, names = 200, ("a", "b", "c", "d")
    rows = np.arange(images)
    tags = np.zeros((images, 4), dtype=bool)
    tags[rows, rows % 4] = True
    for last, flagged in ((0.85, ["d"]), (0.75, [])):
        found = background_evidence(surviving(tags, names, (0.4, 0.5, 0.6, last)), 4)
        assert found.findings[0].label == "d"
        assert found.findings[0].evidence["survival"] == pytest.approx(last, abs=0.01)
        assert [one.label for one in found.findings if one.flagged] == flagged


@pytest.mark.parametrize("names", [("a",), ("a", "b")])
def test_of_one_or_two_classes_the_bound_alone_decides(names):
    """Of two survivals the median is between them, and its distance to each the deviation."""
    images = 100
    tags = np.zeros((images, len(names)), dtype=bool)
    tags[: images // 2, 0] = True
    tags[images // 2 :, 1:] = True
    for survivals, flagged in (((0.95, 0.3), ["a"]), ((0.7, 0.3), [])):
        found = background_evidence(surviving(tags, names, survivals), 4)
        assert [one.label for one in found.findings if one.flagged] == flagged


def test_classes_that_are_always_together_are_flagged_if_their_maps_overlap():
    tags = np.zeros((40, 3), dtype=bool)
    tags[:10, :2] = True
    tags[20:, 2] = True
    found = inseparable_classes(tags, NAMES, {(0, 1): 0.9}, 3)
    assert [(one.label, one.other, one.flagged) for one in found.findings] == [("cat", "dog", True)]
    assert not inseparable_classes(tags, NAMES, {(0, 1): 0.1}, 3).flagged
    _, chance = fisher_exact([[10, 0], [0, 30]], alternative="greater")
    assert found.findings[0].evidence["chance"] == pytest.approx(3 * chance)


def test_classes_that_are_often_together_by_chance_are_not_flagged():
    tags = np.ones((40, 3), dtype=bool)
    tags[0, 0] = tags[1, 1] = False
    pairs = {(0, 1): 1.0, (0, 2): 1.0, (1, 2): 1.0}
    assert not inseparable_classes(tags, NAMES, pairs, 3).flagged
