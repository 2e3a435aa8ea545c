import numpy as np
import pytest

from wsss.report.doubt import MEANINGS, doubt, train_doubt, val_doubt


def mask(*rows: str) -> np.ndarray:
    return np.array([[int(char) for char in row] for row in rows], dtype=np.uint8)


def test_parts_of_a_training_image_by_hand():
    statistics = {
        "pixels": {"0": 50, "2": 30, "255": 20},
        "restored": [2],
        "compared": {"seed_agreement": 0.75, "seed_entropy": 0.5},
    }
    parts = train_doubt((2, 3, 4, 5), statistics)
    # Tag 2 was restored, and three tags have no pixel: all four are lost.
    assert parts == pytest.approx(
        {"seeds_and_mask": 0.25, "undecided_seeds": 0.5, "lost_tags": 1.0, "without_label": 0.2}
    )
    assert doubt(parts) == pytest.approx((0.25 + 0.5 + 1 + 0.2) / 4)


def test_an_image_without_tags_or_seeds_has_fewer_parts():
    assert train_doubt((), {"pixels": {"0": 9}}) == {"without_label": 0.0}
    assert doubt({}) is None


def test_classes_that_are_only_tagged_or_only_predicted():
    prediction = np.zeros((20, 10), dtype=np.uint8)
    prediction[:10] = 1
    prediction[0, 0] = 4  # Half a percent: not predicted.
    prediction[-1] = 3
    # Predicted 1 and 3, tagged 1 and 2: of three classes two are only one of both.
    assert val_doubt((1, 2), prediction) == pytest.approx({"tags_and_prediction": 2 / 3})
    assert val_doubt((), np.zeros((2, 2), dtype=np.uint8)) == {"tags_and_prediction": 0.0}


def test_the_difference_of_two_predictions_by_hand():
    first, second = mask("0011", "0022"), mask("0111", "0000")
    # IoU: background 3 of 6, class 1 2 of 3, class 2 0.
    assert val_doubt((1, 2), first, second)["scales"] == pytest.approx(1 - (3 / 6 + 2 / 3 + 0) / 3)
    assert val_doubt((1, 2), first, first)["scales"] == 0
    assert val_doubt((), mask("00"), mask("00"))["scales"] == 0


def test_every_part_has_a_meaning():
    compared = {"seed_agreement": 1.0, "seed_entropy": 0.0}
    train = train_doubt((1,), {"pixels": {"1": 1}, "compared": compared})
    assert {*train, *val_doubt((1,), mask("1"), mask("1"))} == {*MEANINGS}
