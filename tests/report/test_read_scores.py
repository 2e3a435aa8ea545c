from pathlib import Path

from wsss.artifacts import write_json
from wsss.report.read_scores import Scores, read_scores


def test_a_missing_file_has_no_scores(tmp_path: Path):
    assert read_scores(tmp_path) == Scores()


def test_subjects_come_in_the_order_of_the_pipeline(tmp_path: Path):
    names = ("mine", "segmenter", "propagated_seeds", "pseudo_masks", "seeds_oracle")
    write_json(tmp_path / "metrics.json", {"subjects": {name: {"miou": 0.5} for name in names}})
    found = [subject.name for subject in read_scores(tmp_path).subjects]
    assert found == ["seeds_oracle", "propagated_seeds", "pseudo_masks", "segmenter", "mine"]


def test_what_is_not_finite_is_nothing(tmp_path: Path):
    subject = {"miou": float("nan"), "per_class_iou": [0.5, None, float("nan")], "oracle": True}
    curve = [{"threshold": 0.2, "miou": 0.4}, {"threshold": 0.1, "miou": float("nan")}]
    content = {"subjects": {"seeds": subject}, "oracle_curves": {"seeds": curve}}
    write_json(tmp_path / "metrics.json", content)
    scores = read_scores(tmp_path)
    seeds = scores.get("seeds")
    assert seeds is not None
    assert seeds.oracle
    assert (seeds.miou, seeds.per_class_iou) == (None, (0.5, None, None))
    assert scores.oracle_curves == {"seeds": ((0.2, 0.4),)}
