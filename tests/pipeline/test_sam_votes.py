"""Mask proposals that vote, and the mark that all their results bear."""

import json

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from PIL import Image
from small_sam import small_sam

import wsss
from wsss.artifacts import LabelStore, Manifest, ProposalStore, SeedStore, mark_of
from wsss.cli.tables.stage_results import result_table, stage_table
from wsss.comparing.compared_run import read_runs
from wsss.data.sources.synthetic.synthetic import Synthetic
from wsss.errors import WsssError
from wsss.exporting.lineage import trace
from wsss.pipeline.tracking.stage_record import stage_record
from wsss.refine import ProposalVotes
from wsss.refine.pseudo_label import upsample
from wsss.refine.regions import restore_vanished_tags

segment_anything = pytest.importorskip("segment_anything", reason="the proposals are its")

SOURCE = Synthetic(num_train=9, num_val=5, size_px=64)
GRID = (
    "propose.proposer.points_per_side=3",
    "propose.proposer.min_predicted_iou=0",
    "propose.proposer.min_stability=0",
    "propose.proposer.max_box_iou=1",
)
WEAK = ("classify", "localize")
MARKED = ("propose", "refine", "segment", "evaluate", "report")


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "sam.pth"
    torch.save(small_sam().state_dict(), path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(segment_anything.sam_model_registry, "vit_b", small_sam)
        yield ("refine=sam_votes", f"propose.proposer.weights={path}", *GRID)


@pytest.fixture(scope="module")
def voted(run, finished, words):
    """The outcomes, in the folder where plain maps were refined before."""
    return run(finished["classify"].folder.parents[1], *words)


@pytest.mark.slow
def test_masks_are_those_of_the_crf_after_the_vote(voted, finished):
    masks = LabelStore(voted["refine"].folder / "masks")
    proposals = ProposalStore(voted["propose"].folder / "proposals")
    seeds = SeedStore(voted["localize"].folder / "seeds")
    crf = instantiate(voted["refine"].manifest.basis["settings"]["method"])
    assert voted["propose"].manifest.numbers["proposals_per_image"] > 1
    changed = 0
    for item in SOURCE.items("train"):
        maps = seeds.read(item)
        before = crf(SOURCE.read_image(item), maps)
        after = ProposalVotes()(before, proposals.read(item).masks)
        whole = restore_vanished_tags(after, upsample(maps.maps, after.shape), maps.labels)
        np.testing.assert_array_equal(masks.read(item), whole.mask)
        changed += int((before != after).any())
    assert changed


@pytest.mark.slow
def test_all_that_came_of_the_proposals_bears_the_mark_and_nothing_else(voted, finished):
    assert {stage for stage, one in voted.items() if one.manifest.saw_masks} == {*MARKED}
    assert not any(one.manifest.saw_masks for one in finished.values())
    assert {stage for stage, one in voted.items() if one.cached} == {*WEAK}
    folder = voted["evaluate"].folder
    subjects = json.loads((folder / "metrics.json").read_text())["subjects"]
    marked = {name for name, one in subjects.items() if one["label"].endswith(" (saw masks)")}
    assert marked == {"pseudo_masks", "segmenter", "segmenter_tta_crf"}
    assert {name for name, one in subjects.items() if one["saw_masks"]} == marked
    page = (voted["report"].folder / "report.html").read_text()
    assert "a network whose weights saw masks" in page
    assert "pseudo masks (saw masks)" in page
    assert "saw masks" not in (finished["report"].folder / "report.html").read_text()
    rows = result_table(subjects).columns[0].cells
    assert "segmenter (saw masks)" in [*rows]
    assert "ran, saw masks" in [*stage_table([*voted.values()]).columns[1].cells]
    record = stage_record(voted["evaluate"].manifest, folder, SOURCE)
    assert "evaluate/saw_masks/segmenter_miou" in record.numbers
    assert "evaluate/segmenter_miou" not in record.numbers
    assert "evaluate/seeds_miou" in record.numbers
    names = [one.label for one in read_runs([run["refine"].folder for run in (voted, finished)])]
    assert [name.endswith(" (saw masks)") for name in names] == [True, False]
    # Where a command names the stage's folder alone.
    assert mark_of(voted["segment"].folder) == " (saw masks)"
    assert wsss.load(voted["segment"].folder).saw_masks
    assert not wsss.load(finished["segment"].folder).saw_masks
    assert trace(voted["segment"].folder).manifests["segment"].mark == " (saw masks)"


@pytest.mark.slow
def test_a_stage_that_was_interrupted_ends_with_the_same_bytes(
    run, voted, words, content, tmp_path
):
    whole = content(voted["propose"].folder / "proposals")
    again = run(tmp_path, *words, "stages=[propose]")["propose"].folder
    first, *others = sorted((again / "proposals").iterdir())
    kept = first.stat().st_mtime_ns
    for path in (*others, again / "manifest.json"):
        path.unlink()
    assert run(tmp_path, *words, "stages=[propose]")["propose"].folder == again
    assert content(again / "proposals") == whole
    assert first.stat().st_mtime_ns == kept


@pytest.mark.slow
def test_proposals_that_nobody_asks_leave_no_mark(run, voted, words, finished):
    work_dir = finished["classify"].folder.parents[1]
    _, *rest = words
    plain = run(work_dir, "propose=sam", *rest, "stages=[refine]")["refine"]
    assert plain.cached
    assert plain.folder == finished["refine"].folder
    manifest = Manifest.read(plain.folder)
    assert manifest is not None
    assert not manifest.saw_masks


@pytest.mark.slow
def test_marked_masks_that_are_given_stay_marked(run, voted, finished, tmp_path):
    for of, marked in ((voted, True), (finished, False)):
        masks = of["refine"].folder / "masks"
        words = ("refine=given", f"refine.masks={masks}", "stages=[refine]")
        given = run(tmp_path / str(marked), *words, without=("refine.",))["refine"]
        assert given.manifest.saw_masks is marked


@pytest.mark.slow
def test_commands_on_the_segmenter_say_so(voted, call_command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    item = SOURCE.items("val")[0]
    Image.fromarray(SOURCE.read_image(item)).save("one.png")
    segmenter = voted["segment"].folder
    for words in (
        ("predict", "one.png", f"segmenter={segmenter}", "device=cpu", "workers=0"),
        ("explain", "one.png", f"segmenter={segmenter}", "device=cpu"),
        ("runs", "show", segmenter),
    ):
        status, said = call_command(*words)
        assert status == 0, said
        assert "(saw masks)" in said


def test_a_vote_without_proposals_is_refused_before_anything_is_computed(run, tmp_path):
    votes = "++refine.votes={_target_: wsss.refine.ProposalVotes}"
    with pytest.raises(WsssError, match="Take `refine=sam_votes`"):
        run(tmp_path, votes)
    assert not (tmp_path / "classify").exists()


def test_weights_must_be_named(call_command, tmp_path):
    status, said = call_command("run", "refine=sam_votes", f"work_dir={tmp_path / 'runs'}")
    assert status == 1
    assert "propose.proposer.weights" in said
    assert not (tmp_path / "runs" / "classify").exists()


def test_no_default_and_no_recipe_takes_proposals():
    from wsss.settings.compose import compose
    from wsss.settings.config_dir import config_dir

    assert compose("run", []).get("propose") is None
    recipes = [path.read_text() for path in (config_dir() / "experiment").glob("*.yaml")]
    assert recipes
    assert not any("sam_votes" in text or "propose" in text for text in recipes)
