"""Seeds as a linear probe sees them, which learns from the masks of all images."""

import json

import numpy as np
import pytest
from hydra.utils import instantiate

from wsss.artifacts import LabelStore, SeedStore
from wsss.data.sources.synthetic.synthetic import Synthetic
from wsss.errors import WsssError

SOURCE = Synthetic(num_train=9, num_val=5, size_px=64)
STAGES = "stages=[classify,localize,probe,refine,evaluate]"


@pytest.fixture(scope="module")
def probed(run, finished, tiny_methods):
    """The outcomes, in the folder where plain maps were refined before."""
    work_dir = finished["classify"].folder.parents[1]
    return run(work_dir, *tiny_methods["probe"], STAGES)


@pytest.mark.slow
def test_the_probe_learns_from_what_the_crf_makes_of_the_seeds(probed):
    assert {name for name, one in probed.items() if one.cached} == {"classify", "localize"}
    assert set(probed["refine"].manifest.basis["inputs"]) == {"localize", "probe"}
    assert probed["probe"].manifest.schedule["cells_per_step"] == 32
    learnt = LabelStore(probed["probe"].folder / "labels")
    seeds = SeedStore(probed["localize"].folder / "seeds")
    crf = instantiate(probed["probe"].manifest.basis["settings"]["labels"])
    for item in SOURCE.items("train"):
        expected = crf(SOURCE.read_image(item), seeds.read(item))
        np.testing.assert_array_equal(learnt.read(item), expected)


@pytest.mark.slow
def test_seeds_are_probabilities_that_leave_something_to_background(probed):
    before, after = (SeedStore(probed[stage].folder / "seeds") for stage in ("localize", "probe"))
    for item in SOURCE.items("train"):
        seeds = after.read(item)
        assert seeds.maps.shape == before.read(item).maps.shape
        assert seeds.labels.tolist() == [*item.labels]
        total = seeds.maps.astype(np.float32).sum(axis=0)
        assert 0 < total.min() <= total.max() <= 1.001


@pytest.mark.slow
def test_what_is_scored_are_the_probes_seeds_beside_those_before(probed):
    metrics = json.loads((probed["evaluate"].folder / "metrics.json").read_text())
    assert set(metrics["oracle_curves"]) == {"seeds", "probed_seeds"}
    assert metrics["subjects"]["probed_seeds"]["label"] == "probed seeds, even odds"
    assert metrics["subjects"]["probed_seeds_oracle"]["oracle"]


@pytest.mark.slow
def test_a_stage_that_was_interrupted_ends_with_the_same_bytes(
    run, probed, finished, tiny_methods, content, tmp_path, monkeypatch
):
    work_dir = finished["classify"].folder.parents[1]
    expected = {
        part: content(probed["probe"].folder / part) for part in ("labels", "cells", "seeds")
    }
    words = (*tiny_methods["probe"], "refine/threshold=pooled", "stages=[probe]")

    def write(self, item, seeds, written=SeedStore.write):
        written(self, item, seeds)
        if item.id == "train_0004":
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(SeedStore, "write", write)
        with pytest.raises(KeyboardInterrupt):
            run(work_dir, *words)
    again = run(work_dir, *words)["probe"]
    assert not again.cached
    (elsewhere := tmp_path / "runs").mkdir()
    stages = "stages=[classify,localize,probe]"
    anew = run(elsewhere, *tiny_methods["probe"], "refine/threshold=pooled", stages)["probe"]
    for part in expected:
        assert content(again.folder / part) == content(anew.folder / part)
    assert content(again.folder / "labels") != expected["labels"]


@pytest.mark.slow
def test_layers_that_are_not_there_are_told_before_anything_is_computed(
    run, tiny_methods, tmp_path
):
    with pytest.raises(WsssError, match=r"probe\.method\.layers.*blocks\.9"):
        run(tmp_path, *tiny_methods["probe"], "probe.method.layers=[blocks.9]")
    assert not (tmp_path / "classify").exists()
