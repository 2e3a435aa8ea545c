from dataclasses import replace

import numpy as np
import pytest
import torch

from wsss.cams.cam import CAM
from wsss.cams.gradcam import LayerCAM
from wsss.explain.class_choice import ClassChoice
from wsss.explain.comparison.compare_image import Comparison, Pair, same_classes
from wsss.explain.comparison.pictures import comparison_sheet, first_row
from wsss.explain.explained_classifier import load_classifier
from wsss.explain.explainer import Explainer
from wsss.explain.request import configure, request_of
from wsss.metrics.explanation.similarity import moved_share
from wsss.report.panels import GUTTER_PX, TITLE_PX
from wsss.report.signed_overlay import signed_overlay


@pytest.fixture
def side(checkpoint):
    cfg, _ = configure(["a.png", f"checkpoint={checkpoint}"])
    classifier = load_classifier(request_of(cfg))
    return Explainer(classifier, {"cam": CAM()}, ClassChoice(named=(1, 0)))


def swapped(side, names):
    """The same network under other names."""
    return replace(side, classifier=replace(side.classifier, class_names=names))


def test_a_classifier_and_itself_agree(side, picture):
    found = Comparison(side, replace(side), [Pair("cam", "cam")]).compare(picture("a.png"))
    assert found.disagreement == 0
    assert [one.class_name for one in found.differences] == ["dog", "cat"]
    for one in found.differences:
        assert (one.rank_correlation, one.iou_at_half) == (pytest.approx(1), 1)
        assert one.probabilities[0] == one.probabilities[1]


def test_classes_are_matched_by_their_names(side, picture):
    other = swapped(side, ("dog", "cat", "lamp"))
    found = Comparison(side, other, [Pair("cam", "cam")]).compare(picture("a.png"))
    by_name = {one.class_name: one for one in found.differences}
    own = side.explain(picture("a.png"))
    dog, cat = (np.array(own.maps["cam"][i]) for i in (0, 1))
    assert {*by_name} == {"cat", "dog"}
    np.testing.assert_array_equal(by_name["dog"].maps, [dog, cat])  # Index 0 is a dog there.
    assert by_name["dog"].moved_share == by_name["cat"].moved_share == moved_share(dog, cat)
    probabilities = own.probabilities.tolist()
    assert by_name["dog"].probabilities == (probabilities[1], probabilities[0])


def test_classes_that_either_side_chooses_are_compared(side, picture):
    first = replace(side, choice=ClassChoice(named=(2,)))
    second = replace(side, choice=ClassChoice(named=(0,)))
    found = Comparison(first, second, [Pair("cam", "cam")]).compare(picture("a.png"))
    assert {one.class_name for one in found.differences} == {"sofa", "cat"}


def test_two_methods_of_one_classifier_see_each_image_once(side, picture):
    both = replace(side, methods={"cam": CAM(), "layercam": LayerCAM()})
    found = Comparison(both, both, [Pair("cam", "layercam")]).compare(picture("a.png"))
    own = both.explain(picture("a.png"))
    shares = {}
    for position, name in enumerate(("dog", "cat")):
        shares[name] = moved_share(*(own.maps[m][position] for m in ("cam", "layercam")))
    assert {one.class_name: one.moved_share for one in found.differences} == shares
    assert found.disagreement == max(shares.values())
    assert found.differences[0].moved_share == found.disagreement


def test_same_names_are_matched_by_place_and_others_by_the_first_of_a_name():
    assert same_classes(("crane", "crane"), ("crane", "crane")) == {0: 0, 1: 1}
    assert same_classes(("a", "b", "c"), ("c", "a", "c")) == {0: 1, 2: 0}


def test_signed_values_are_clear_at_zero_and_coloured_by_their_sign():
    image = np.full((1, 3, 3), 100, np.uint8)
    blue, none, red = signed_overlay(image, np.array([[-1.0, 0.0, 1.0]]))[0].astype(int)
    assert none.tolist() == [60, 60, 60]
    assert blue[2] - blue[0] > 100
    assert red[0] - red[2] > 100


def test_a_sheet_has_a_row_for_each_class_the_most_different_first(side, picture):
    other = swapped(side, ("dog", "cat", "lamp"))
    seen = Comparison(side, other, [Pair("cam", "cam")]).compare(picture("a.png"))
    sheet = comparison_sheet(seen, ("A", "B"), height_px=30)
    row_px = GUTTER_PX + TITLE_PX + 30
    assert sheet.shape == (2 * row_px, 4 * 40 + 3 * GUTTER_PX, 3)
    np.testing.assert_array_equal(first_row(sheet, (60, 80), height_px=30), sheet[:row_px])
    assert torch.is_grad_enabled()
