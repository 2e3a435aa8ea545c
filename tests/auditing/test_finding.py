"""Findings, and the files they are written to."""

import csv

import pytest

from wsss.auditing.finding import (
    KINDS,
    Audit,
    CheckResult,
    Finding,
    ranked,
    read_audit,
    write_audit,
)


def _audit() -> Audit:
    wrong = Finding(
        "wrong_tag", 0.75, True, "Look: is there a cat?", "a, b", "train", "cat",
        evidence={"probability": 0.125},
    )  # fmt: skip
    of_class = Finding(
        "background_evidence", 0.5, False, "Add images.", label="boat", images=("x", "y")
    )
    checks = {
        "wrong_tag": CheckResult(7, "Ranked by the probability.", [wrong]),
        "background_evidence": CheckResult(2, "Ranked by the share.", [of_class]),
    }
    return Audit(["cat", "boat"], {"train": 3, "val": 1}, checks, {"stages": {}}, {"z": "broken"})


def test_an_audit_is_read_as_it_was_written(tmp_path):
    write_audit(tmp_path, _audit())
    found = read_audit(tmp_path)
    (wrong,), (of_class,) = (found.checks[kind].findings for kind in found.checks)
    assert wrong == _audit().findings[0]
    assert (of_class.label, [*of_class.images], of_class.image) == ("boat", ["x", "y"], None)
    assert found.checks["wrong_tag"].flagged == 1
    assert found.splits == {"train": 3, "val": 1}
    assert found.left_out == {"z": "broken"}


def test_the_table_has_a_row_a_finding(tmp_path):
    write_audit(tmp_path, _audit())
    with (tmp_path / "audit.csv").open(encoding="utf-8", newline="") as stream:
        rows = [*csv.DictReader(stream)]
    assert [row["kind"] for row in rows] == ["wrong_tag", "background_evidence"]
    assert rows[0]["image"] == "a, b"
    assert (rows[0]["rank"], rows[0]["flagged"], rows[1]["image"]) == ("1", "true", "")


def test_ranked_keeps_the_best_and_all_that_are_flagged():
    scores = [0.1, 0.9, 0.5, 0.5, 0.2]
    findings = [
        Finding(KINDS[0], score, flagged=score == 0.2, advice="", image=str(place))
        for place, score in enumerate(scores)
    ]
    assert [one.image for one in ranked(findings, 2)] == ["1", "2", "4"]


@pytest.mark.parametrize(("kind", "score"), [("wrong", 0.5), ("wrong_tag", 1.5)])
def test_what_no_page_could_show_is_refused(kind, score):
    with pytest.raises(ValueError, match="expected"):
        Finding(kind, score, True, "")
