"""The bound: the segmenter trained on true masks, beside a run that it changes nothing of."""

import json

import numpy as np
import pytest

import wsss as package
from wsss.artifacts import LabelStore
from wsss.data.sources.synthetic.synthetic import Synthetic
from wsss.errors import WsssError
from wsss.exporting.lineage import trace
from wsss.models.saved_networks import ORACLE_SEGMENTER, load_classifier, load_segmenter
from wsss.pipeline.tracking.stage_record import stage_record
from wsss.report.bound import BOUNDS

SAME = "oracle_bound_same_schedule"
SOURCE = Synthetic(num_train=9, num_val=5, size_px=64)


@pytest.fixture(scope="module")
def bound(run, finished):
    """The outcomes of the finished run, which gets its bound afterwards."""
    return run(finished["classify"].folder.parents[1], "bound=true")


def test_a_finished_run_gets_its_bound_and_nothing_else_is_computed(bound, finished):
    computed = [stage for stage, outcome in bound.items() if not outcome.cached]
    assert computed == [*BOUNDS, "report"]
    for stage in BOUNDS:
        assert bound[stage].manifest.basis["inputs"] == {"classify": bound["classify"].folder.name}
        assert bound["report"].manifest.basis["inputs"][stage] == bound[stage].folder.name
    assert not {*BOUNDS} & {*finished["report"].manifest.basis["inputs"]}


def test_the_bound_with_the_runs_schedule_is_its_segmenter_had_it_true_masks(
    run, bound, content, tmp_path
):
    """Trained and scored by `segment` and `evaluate`, to which the true masks are given."""
    masks = LabelStore(tmp_path / "true")
    for item in SOURCE.items("train"):
        masks.write(item, SOURCE.read_mask(item))
    given = ("refine=given", f"refine.masks={masks.folder}")
    outcomes = run(tmp_path / "runs", *given, without=("refine.method",))
    ours, theirs = bound[SAME].folder, outcomes["segment"].folder
    weights = theirs / "segmenter.safetensors"
    assert (ours / f"{ORACLE_SEGMENTER}.safetensors").read_bytes() == weights.read_bytes()
    predicted = content(outcomes["evaluate"].folder / "predictions")
    own = {name: one for name, one in predicted.items() if name.startswith("val")}
    assert len(own) == 2 * 5
    assert content(ours / "predictions") == own
    numbers, scored = bound[SAME].manifest.numbers, outcomes["evaluate"].manifest.numbers
    trained = outcomes["segment"].manifest.numbers["pseudo_miou"]
    assert numbers == {
        "bound_same_schedule_miou": scored["segmenter_miou"],
        "bound_same_schedule_tta_crf_miou": scored["segmenter_tta_crf_miou"],
        "bound_same_schedule_train_miou": trained,
    }


def test_the_bound_takes_the_evidence_of_the_same_classifier(bound, finished):
    (segmenter, _), (oracle, _) = (
        load_segmenter(finished["segment"].folder),
        load_segmenter(bound[SAME].folder, ORACLE_SEGMENTER),
    )
    classifier, _ = load_classifier(finished["classify"].folder)
    for own in (segmenter, oracle):
        assert own.classifier_weight == 1
        for ours, theirs in zip(own.classifier.parameters(), classifier.parameters(), strict=True):
            assert ours.equal(theirs)


def test_all_of_the_bound_is_oracle(bound):
    for stage, name in BOUNDS.items():
        folder = bound[stage].folder
        subjects = json.loads((folder / "metrics.json").read_text())["subjects"]
        assert [*subjects] == [name, f"{name}_tta_crf"]
        assert all(one["oracle"] and one["split"] == "val" for one in subjects.values())
        assert not list(folder.glob("segmenter.*"))
        manifests = {one.stage: one.manifest for one in bound.values()}
        record = stage_record(bound[stage].manifest, folder, SOURCE, manifests=manifests)
        told = {*record.numbers, *record.tables, *record.confusions}
        assert told
        assert all("oracle" in one for one in told)
        weak = bound["evaluate"].manifest.numbers["segmenter_miou"]
        percent = 100 * weak / bound[stage].manifest.numbers[f"{name}_miou"]
        assert record.numbers[f"oracle/weak_over_{name}_percent"] == pytest.approx(percent)
        assert all("oracle" in one for one in record.tables[f"{stage}/iou"].columns[1:])


def test_the_report_tells_weak_over_bound(bound, finished):
    page = (bound["report"].folder / "report.html").read_text()
    assert page.count("weak/bound <b>") == 4
    assert "weak/bound" not in (finished["report"].folder / "report.html").read_text()


def test_nothing_takes_the_bound_for_a_segmenter(bound):
    folder = bound["oracle_bound"].folder
    for take in (package.load, trace):
        with pytest.raises(WsssError, match=r"trained on ground truth \(oracle\)"):
            take(folder)


def test_what_is_missing_alone_is_computed_again(run, bound, content, tmp_path):
    words = ("bound=true", f"stages=[classify,{SAME}]")
    folder = run(tmp_path, *words)[SAME].folder
    assert content(folder / "predictions") == content(bound[SAME].folder / "predictions")
    before = content(folder)
    for name in ("manifest.json", "metrics.json", f"{ORACLE_SEGMENTER}.safetensors"):
        (folder / name).unlink()
    first, *others = sorted((folder / "counts" / "val_predictions").glob("*.npz"))
    kept = {path: path.stat().st_mtime_ns for path in others}
    first.unlink()
    (folder / "predictions" / "val" / f"{first.stem}.png").unlink()
    again = run(tmp_path, *words)[SAME]
    assert not again.cached
    assert {path: path.stat().st_mtime_ns for path in others} == kept
    after = content(folder)
    assert {*after} >= {*before}
    varying = ("manifest.json", "checksums.b2sum", "curves/")
    for name in before:
        assert name.startswith(varying) or after[name] == before[name], name


def test_images_without_a_mask_are_left_out_and_told(run_on, write_folder, caplog, tmp_path):
    images = {f"cat{number}.jpg": ["cat"] for number in range(7)}
    splits = {"train": [f"cat{number}" for number in range(5)], "val": ["cat5", "cat6"]}
    pets = write_folder(images, masks=True, splits=splits, size=(48, 64))
    (pets / "masks" / "cat3.png").unlink()
    words = ("bound=true", "stages=[classify,oracle_bound]", "+trainer.limit_train_batches=1")
    outcome = run_on(pets, tmp_path / "runs", *words)["oracle_bound"]
    metrics = json.loads((outcome.folder / "metrics.json").read_text())
    assert (metrics["learnt_from_images"], metrics["images_without_mask"]) == (4, 1)
    assert "oracle_bound: learns from the 4 of 5 training images that have a mask" in caplog.text
    labels = [one["label"] for one in metrics["subjects"].values()]
    assert all(label.startswith("bound (4 of 5 training images)") for label in labels)
    miou = metrics["subjects"]["bound"]["miou"]
    assert outcome.manifest.numbers["bound_miou"] == miou
    assert np.isfinite(miou)
