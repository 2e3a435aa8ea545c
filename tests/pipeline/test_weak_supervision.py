import shutil

import pytest

from wsss.errors import WsssError
from wsss.pipeline.fingerprints import stage_configs
from wsss.pipeline.stage_order import stage_module
from wsss.report.bound import BOUNDS
from wsss.settings.compose import compose
from wsss.stages import CHAIN

REFUSING = """
from wsss.data.sources.folder.folder import Folder

class RefusingFolder(Folder):
    def read_mask(self, item):
        raise AssertionError(f"the mask of {item.id} was opened")
"""

LEARNING = ("classify", "localize", "refine", "segment")
METHODS = {
    "cam": (),
    "recam": ("reactivate",),
    "meng": ("oppose",),
    "affinity": ("affinity", "propagate"),
    "feature_affinity": ("propagate",),
    "attention_affinity": ("propagate",),
    "probe": ("probe",),
    "rounds": (),
}
"""The stages that learn for one method only."""


@pytest.fixture
def pets(write_folder):
    images = {
        f"{name}{number}.jpg": labels
        for number in range(4)
        for name, labels in (("cat", ["cat"]), ("dog", ["dog"]))
    }
    splits = {
        "train": [f"{name}{number}" for name in ("cat", "dog") for number in range(3)],
        "val": ["cat3", "dog3"],
    }
    return write_folder(images, masks=True, splits=splits, size=(48, 64))


def test_evaluation_report_and_bound_alone_declare_that_they_read_masks():
    readers = {stage for stage in CHAIN if stage_module(stage).READS_MASKS}
    assert readers == {"evaluate", "report", *BOUNDS}


def test_the_bound_is_off_and_the_report_alone_takes_anything_from_it():
    cfg = compose("run", [])
    assert cfg.bound is False
    assert not {*BOUNDS} & {*stage_configs(cfg)}
    takers = {stage for stage in CHAIN if {*BOUNDS} & {*stage_module(stage).INPUTS}}
    assert takers == {"report"}
    for stage in BOUNDS:
        assert stage_module(stage).INPUTS == ("classify",)


@pytest.mark.parametrize("stage", ["classify", "localize", "refine"])
def test_what_is_given_is_taken_without_masks(stage):
    assert not stage_module(stage, {"_target_": f"wsss.stages.{stage}_given.run"}).READS_MASKS


@pytest.mark.parametrize("method", METHODS)
def test_no_learning_stage_opens_a_mask(run_on, pets, monkeypatch, tiny_methods, method, tmp_path):
    # A module of its own, which the processes of a stage import, too.
    (tmp_path / "refusing.py").write_text(REFUSING)
    monkeypatch.syspath_prepend(tmp_path)
    # The data check comes first: it may look whether masks are in order.
    run_on(pets, tmp_path / "runs", "stages=[]")
    stages = [*LEARNING, *METHODS[method]]
    refusing = (*tiny_methods[method], "data._target_=refusing.RefusingFolder", "bound=true")
    outcomes = run_on(pets, tmp_path / "runs", *refusing, f"stages=[{','.join(stages)}]")
    assert set(outcomes) == set(stages)
    with pytest.raises(AssertionError, match="was opened"):
        run_on(pets, tmp_path / "runs", *refusing, "stages=[evaluate]")


def test_an_audit_opens_no_mask(run_on, pets, call_command, monkeypatch, tmp_path):
    (tmp_path / "refusing.py").write_text(REFUSING)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    folder = run_on(pets, tmp_path / "runs", "stages=[classify,localize,refine]")["refine"].folder
    words = ("data=folder", f"data.root={pets}", "data._target_=refusing.RefusingFolder", "folds=2")
    status, said = call_command("audit", folder, *words, "workers=1", "device=cpu", "output=found")
    assert status == 0, said
    assert (tmp_path / "found" / "index.html").is_file()


def test_results_do_not_depend_on_masks(run_on, pets, content, tmp_path):
    with_masks = run_on(pets, tmp_path / "with")
    shutil.rmtree(pets / "masks")
    without = run_on(pets, tmp_path / "without")
    for stage in LEARNING:
        assert without[stage].folder.name == with_masks[stage].folder.name
    for stage, part in (("localize", "seeds"), ("refine", "masks")):
        assert content(without[stage].folder / part) == content(with_masks[stage].folder / part)
    segmenters = [
        runs["segment"].folder / "segmenter.safetensors" for runs in (with_masks, without)
    ]
    assert segmenters[0].read_bytes() == segmenters[1].read_bytes()
    # Without masks everything is predicted, nothing scored, and there is still a report.
    assert with_masks["evaluate"].manifest.numbers
    assert without["evaluate"].manifest.numbers == {}
    assert len(list((without["evaluate"].folder / "predictions" / "val").glob("*.png"))) == 2
    assert (without["report"].folder / "report.html").is_file()
    with pytest.raises(WsssError, match="no image of train or val has a mask") as refused:
        run_on(pets, tmp_path / "without", "bound=true")
    assert len(refused.value.problems) == 1
    assert not [*(tmp_path / "without").glob("oracle*")]


def test_other_masks_renew_nothing_that_learns(run_on, pets, tmp_path):
    run_on(pets, tmp_path)
    (pets / "masks" / "dog3.png").write_bytes((pets / "masks" / "cat3.png").read_bytes())
    again = run_on(pets, tmp_path)
    assert {stage for stage, outcome in again.items() if not outcome.cached} == {
        "evaluate",
        "report",
    }
