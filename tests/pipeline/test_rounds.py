"""Rounds of a segmenter that learns from masks which it has made itself."""

import numpy as np
import pytest
import torch

from wsss.artifacts import LabelStore, SeedStore
from wsss.data.pyramids import PyramidBatches, Scales
from wsss.data.sample import VOID_LABEL, Item
from wsss.data.sources.synthetic.synthetic import Synthetic
from wsss.errors import WsssError
from wsss.models.inference import label_probabilities
from wsss.models.saved_networks import load_segmenter
from wsss.report.training_curves import read_curves
from wsss.stages.segment.relabelling import mean_agreement

SOURCE = Synthetic(num_train=9, num_val=5, size_px=64)


@pytest.fixture(scope="module")
def rounds(run, finished, tiny_methods):
    """The stage in two rounds, in the folder where it had one before."""
    work_dir = finished["classify"].folder.parents[1]
    return run(work_dir, *tiny_methods["rounds"], "stages=[segment]")["segment"]


def same_networks(*folders):
    """Whether segmenters have the same weights, apart from classifiers whose evidence they take."""
    ours, theirs = (load_segmenter(one)[0].network.state_dict() for one in folders)
    return all(tensor.equal(theirs[key]) for key, tensor in ours.items())


def test_agreement_is_the_mean_over_images_with_tags(tmp_path):
    before, after = LabelStore(tmp_path / "before"), LabelStore(tmp_path / "after")
    items = [Item("same", (1,)), Item("other", (1,)), Item("none", ()), Item("missing", (2,))]
    for item, mask in zip(items, ([[0, 1]], [[0, 1]], [[0, 0]]), strict=False):
        before.write(item, np.uint8(mask))
        after.write(item, np.uint8([[0, 0]] if item.id == "other" else mask))
    # Of the second image background's IoU is a half, that of the class nothing.
    assert mean_agreement(items, before, after) == pytest.approx((1 + 0.25) / 2)
    assert mean_agreement(items[2:], before, after) == 1


@pytest.mark.slow
def test_the_second_round_learns_from_the_masks_of_the_first(rounds, finished):
    first, second = rounds.folder / "round_1", rounds.folder / "round_2"
    numbers = rounds.manifest.numbers
    assert numbers["rounds"] == 2
    plain, renewed = LabelStore(finished["refine"].folder / "masks"), LabelStore(first / "masks")
    items = SOURCE.items("train")
    assert numbers["agreement_1"] == pytest.approx(mean_agreement(items, plain, renewed))
    model, _ = load_segmenter(first)
    for item in items:
        assert {*np.unique(renewed.read(item)).tolist()} <= {0, VOID_LABEL, *item.labels}
        pyramid = PyramidBatches(SOURCE, [[item]], Scales())[0].pyramid
        seen = SeedStore(first / "seeds").read(item)
        (expected,) = label_probabilities(model, pyramid, [seen.maps.shape[1:]], flip=True)
        found = torch.from_numpy(seen.maps.astype(np.float32))
        shown = expected[[0, *item.labels]]
        torch.testing.assert_close(found, shown[1:] / shown.sum(dim=0), atol=1e-3, rtol=0)
    assert not (second / "masks").exists()
    assert same_networks(rounds.folder, second)
    assert not same_networks(first, second)
    # Which classes a training image has its tags say; the classifier's evidence is for others.
    assert [load_segmenter(one)[0].classifier is None for one in (first, second)] == [True, True]
    assert load_segmenter(rounds.folder)[0].classifier is not None
    assert {curve.name for curve in read_curves(rounds.folder)} >= {"train_loss", "pseudo_miou"}


@pytest.mark.slow
def test_no_further_round_begins_once_masks_have_settled(run, rounds, tiny_methods):
    work_dir = rounds.folder.parents[1]
    words = (*tiny_methods["rounds"], "segment.settled=0", "stages=[segment]")
    settled = run(work_dir, *words)["segment"]
    assert settled.manifest.numbers["rounds"] == 1
    assert not (settled.folder / "round_2").exists()
    assert same_networks(settled.folder, rounds.folder / "round_1")


@pytest.mark.slow
def test_rounds_that_were_interrupted_end_with_the_same_bytes(
    run, rounds, content, tiny_methods, monkeypatch
):
    work_dir = rounds.folder.parents[1]
    # Another fingerprint, the same computation.
    words = (*tiny_methods["rounds"], "segment.settled=0.99", "stages=[segment]")

    def write(self, item, mask, written=LabelStore.write):
        written(self, item, mask)
        if item.id == "train_0004":
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(LabelStore, "write", write)
        with pytest.raises(KeyboardInterrupt):
            run(work_dir, *words)
    again = run(work_dir, *words)["segment"]
    for part in ("seeds", "masks"):
        folder = f"round_1/{part}"
        assert content(again.folder / folder) == content(rounds.folder / folder)
    name = "segmenter.safetensors"
    assert (again.folder / name).read_bytes() == (rounds.folder / name).read_bytes()


@pytest.mark.slow
def test_rounds_without_a_way_to_make_masks_are_refused(run, finished):
    work_dir = finished["classify"].folder.parents[1]
    words = ("segment.rounds=2", "segment.relabel=null", "stages=[segment]")
    with pytest.raises(WsssError, match=r"segment\.rounds=2.*segment\.relabel=null"):
        run(work_dir, *words)
