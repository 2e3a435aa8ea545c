import json

import pytest
from scipy.stats import entropy

from wsss.report.health import balance, health


@pytest.fixture
def folders(tmp_path):
    metrics = {
        "localize": {"images": 8.0, "scale_agreement": 0.75},
        "refine": {
            "images": 8.0,
            "coverage": 0.9,
            "void_fraction": 0.1,
            "foreground_fraction": 0.25,
            "images_restored": 2.0,
            "seed_entropy": 0.5,
            "seed_agreement": 0.625,
            "bg_threshold": 0.3,
            "class_shares": {"background": 0.7, "cat": 0.2, "dog": 0.1, "cow": 0.0},
        },
    }
    for stage, numbers in metrics.items():
        (tmp_path / stage).mkdir()
        (tmp_path / stage / "metrics.json").write_text(json.dumps(numbers))
    return {stage: tmp_path / stage for stage in metrics}


def test_every_number_is_read_from_what_the_stages_left(folders):
    assert health(folders) == {
        "scale_agreement": 0.75,
        "seed_agreement": 0.625,
        "seed_entropy": 0.5,
        "coverage": 0.9,
        "void_fraction": 0.1,
        "foreground_fraction": 0.25,
        "restored_fraction": 0.25,
        "class_balance": pytest.approx(entropy([0.2, 0.1, 0.0], base=3)),
        "class_share/background": 0.7,
        "class_share/cat": 0.2,
        "class_share/dog": 0.1,
        "class_share/cow": 0.0,
    }


def test_what_a_stage_of_an_earlier_version_did_not_measure_is_left_out(folders):
    old = {"images": 8.0, "coverage": 1.0, "images_restored": 0.0}
    (folders["refine"] / "metrics.json").write_text(json.dumps(old))
    (folders["localize"] / "metrics.json").write_text(json.dumps({"images": 8.0}))
    assert health(folders) == {"coverage": 1.0, "restored_fraction": 0.0}


def test_stages_that_did_not_run_have_no_health(tmp_path):
    assert health({}) == {}
    assert health({"localize": tmp_path / "missing", "classify": tmp_path}) == {}


def test_equal_shares_are_balanced_and_a_single_class_is_not():
    assert balance([0.2, 0.2, 0.2]) == pytest.approx(1)
    assert balance([0.4, 0.0]) == 0
    assert balance([0.0, 0.0]) == 0
