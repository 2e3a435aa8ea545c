"""Seeds that walk between pixels that belong together, learned or found alike."""

import json
import shutil
import time

import numpy as np
import pytest

from wsss.artifacts import LabelStore, SeedStore
from wsss.data.sources.synthetic.synthetic import Synthetic
from wsss.errors import WsssError
from wsss.models.saved_networks import load_affinity_heads
from wsss.refine import Threshold

OWN = {
    "affinity": ("affinity", "propagate"),
    "feature_affinity": ("propagate",),
    "attention_affinity": ("propagate",),
}
SEEDS_STAGES = "stages=[classify,localize,affinity,propagate]"


@pytest.fixture(scope="module")
def spread(run, finished, tiny_methods):
    """The outcomes of each method, in the folder where plain maps were refined before."""
    work_dir = finished["classify"].folder.parents[1]
    return {method: run(work_dir, *tiny_methods[method]) for method in OWN}


def all_seeds(outcome):
    paths = sorted((outcome.folder / "seeds").glob("*.npz"))
    return {path.name: dict(np.load(path)) for path in paths}


@pytest.mark.slow
@pytest.mark.parametrize("method", OWN)
def test_the_pipeline_runs_from_end_to_end(spread, finished, method):
    outcomes = spread[method]
    chain = [*finished]
    chain[2:2] = OWN[method]
    assert [*outcomes] == chain
    assert {name for name, one in outcomes.items() if one.cached} == {"classify", "localize"}
    assert "propagate" in outcomes["refine"].manifest.basis["inputs"]
    assert set(finished["refine"].manifest.basis["inputs"]) == {"localize"}
    report = (outcomes["report"].folder / "report.html").read_text()
    assert ("Affinity of pixels" in report) == (method == "affinity")


@pytest.mark.slow
@pytest.mark.parametrize("method", OWN)
def test_walked_seeds_have_the_format_of_seeds_and_their_common_maximum_is_one(spread, method):
    before, after = (all_seeds(spread[method][stage]) for stage in ("localize", "propagate"))
    assert before.keys() == after.keys()
    assert len(after) == 9
    for name, seeds in after.items():
        assert seeds["maps"].dtype == np.float16
        assert seeds["maps"].shape == before[name]["maps"].shape
        assert np.array_equal(seeds["classes"], before[name]["classes"])
        assert np.array_equal(seeds["size"], before[name]["size"])
        assert seeds["maps"].min() >= 0
        if before[name]["maps"].any():  # What has hardly learned may find nothing.
            assert seeds["maps"].max() == 1
            assert not np.array_equal(seeds["maps"], before[name]["maps"])
    assert sum(seeds["maps"].any() for seeds in after.values()) > 4


@pytest.mark.slow
def test_heads_and_the_labels_they_learned_from_are_kept(spread):
    folder = spread["affinity"]["affinity"].folder
    heads = load_affinity_heads(folder)
    assert json.loads((folder / "affinity_heads.json").read_text())["layers"] == [*heads.layers]
    assert heads.displacement is None
    labels = LabelStore(folder / "labels")
    items = Synthetic(num_train=9, num_val=5, size_px=64).items("train")
    found = set()
    for item in items:
        values = set(np.unique(labels.read(item)).tolist())
        assert values <= {0, 255, *item.labels}
        found |= values
    assert {0, 255} < found


@pytest.mark.slow
def test_the_engine_for_gpus_labels_in_the_runs_own_process(run, spread, tiny_methods, monkeypatch):
    def refuse(*_):
        raise AssertionError("sent to other processes")

    monkeypatch.setattr("wsss.stage_tools.worker_pool.ProcessPoolExecutor", refuse)
    work_dir = spread["affinity"]["classify"].folder.parents[1]
    words = (*tiny_methods["affinity"], "refine/engine=torch")
    outcomes = run(work_dir, *words, "stages=[classify,localize,affinity]")
    assert not outcomes["affinity"].cached
    before, after = (
        sorted((one["affinity"].folder / "labels").glob("*.png"))
        for one in (spread["affinity"], outcomes)
    )
    assert [path.read_bytes() for path in before] == [path.read_bytes() for path in after]


@pytest.mark.slow
def test_masks_are_made_of_the_walked_seeds(run, spread, tiny_methods):
    work_dir = spread["affinity"]["classify"].folder.parents[1]
    words = [word for word in tiny_methods["affinity"] if not word.startswith("refine=")]
    words = ["refine=affinity", "refine.keep_tags=false", *words]
    stages = "stages=[classify,localize,affinity,propagate,refine]"
    outcomes = run(work_dir, *words, stages, without=("refine.",))
    assert [name for name, one in outcomes.items() if not one.cached] == ["refine"]
    seeds = SeedStore(outcomes["propagate"].folder / "seeds")
    masks = LabelStore(outcomes["refine"].folder / "masks")
    source = Synthetic(num_train=9, num_val=5, size_px=64)
    for item in source.items("train"):
        expected = Threshold(0.25)(source.read_image(item), seeds.read(item))
        assert np.array_equal(masks.read(item), expected)


@pytest.mark.slow
def test_walked_seeds_are_scored_beside_those_before(run, spread, tiny_methods):
    work_dir = spread["affinity"]["classify"].folder.parents[1]
    stages = "stages=[classify,localize,affinity,propagate,refine,evaluate]"
    outcomes = run(work_dir, *tiny_methods["affinity"], stages)
    metrics = json.loads((outcomes["evaluate"].folder / "metrics.json").read_text())
    assert set(metrics["oracle_curves"]) == {"seeds", "propagated_seeds"}
    source = Synthetic(num_train=9, num_val=5, size_px=64)
    for kind, stage in (("seeds", "localize"), ("propagated_seeds", "propagate")):
        scores = metrics["subjects"][kind]
        assert metrics["subjects"][f"{kind}_oracle"]["miou"] >= scores["miou"]
        seeds = SeedStore(outcomes[stage].folder / "seeds")
        found, targets = [], []
        for item in source.items("train"):
            mask = Threshold(scores["threshold"])(source.read_image(item), seeds.read(item))
            target = source.read_mask(item)
            found.append(mask[target != 255])
            targets.append(target[target != 255])
        mask, target = np.concatenate(found), np.concatenate(targets)
        for label, iou in enumerate(scores["per_class_iou"]):
            both, either = (mask == label) & (target == label), (mask == label) | (target == label)
            assert iou is None or iou == pytest.approx(both.sum() / either.sum())


@pytest.mark.slow
def test_without_a_step_the_seeds_stay(run, spread, tiny_methods, tmp_path):
    work_dir = spread["affinity"]["classify"].folder.parents[1]
    words = (*tiny_methods["feature_affinity"], "propagate.num_steps=0")
    outcomes = run(work_dir, *words, SEEDS_STAGES)
    before, after = (all_seeds(outcomes[stage]) for stage in ("localize", "propagate"))
    compared = 0
    for name, seeds in after.items():
        maps = before[name]["maps"].astype(np.float32)
        # Seeds of whole cells of the features are as large as the maps of the walk.
        if maps.any() and not any(side % 16 for side in seeds["size"]):
            np.testing.assert_allclose(seeds["maps"], maps / maps.max(), atol=1e-3)
            compared += 1
    assert compared > 1


@pytest.mark.slow
def test_a_transformer_lends_its_own_attention(run, tmp_path):
    outcomes = run(
        tmp_path,
        "backbone=deit_small",
        "backbone.name=deit_tiny_patch16_224",
        "backbone.weights=null",
        "segmenter=deeplabv3plus_lite0",
        "refine=attention_affinity",
        "propagate.method.attention_network=null",
        "propagate.num_steps=4",
        SEEDS_STAGES,
        without=("refine.",),
    )
    before, after = (all_seeds(outcomes[stage]) for stage in ("localize", "propagate"))
    assert before.keys() == after.keys()
    # What has not learned finds nothing in some images, and there is nothing to walk.
    found = [name for name, seeds in before.items() if seeds["maps"].any()]
    assert len(found) > 2
    for name in found:
        assert after[name]["maps"].shape == before[name]["maps"].shape
        assert not np.array_equal(after[name]["maps"], before[name]["maps"])


@pytest.mark.slow
@pytest.mark.parametrize("method", OWN)
def test_missing_seeds_alone_are_computed_again(run, spread, tiny_methods, tmp_path, method):
    # The second network of attention_affinity begins at random here: it is the same again.
    done = spread[method]
    for stage in ("classify", "localize", *OWN[method]):
        shutil.copytree(done[stage].folder, tmp_path / stage / done[stage].folder.name)
    folder = tmp_path / "propagate" / done["propagate"].folder.name
    (folder / "manifest.json").unlink()
    paths = sorted((folder / "seeds").glob("*.npz"))
    before = [path.read_bytes() for path in paths]
    paths[4].unlink()
    again = run(tmp_path, *tiny_methods[method], SEEDS_STAGES)
    assert [name for name, one in again.items() if not one.cached] == ["propagate"]
    assert [path.read_bytes() for path in paths] == before


@pytest.mark.minutes
def test_killed_after_an_epoch_it_ends_with_the_same_bytes(
    start, run, spread, tiny_methods, tmp_path
):
    done = spread["affinity"]
    for stage in ("classify", "localize"):
        shutil.copytree(done[stage].folder, tmp_path / stage / done[stage].folder.name)
    process = start(tmp_path, *tiny_methods["affinity"], SEEDS_STAGES, "workers=1")
    deadline = time.monotonic() + 300
    while process.poll() is None and not list(tmp_path.glob("affinity/*/checkpoints/*.ckpt")):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    assert not list(tmp_path.glob("affinity/*/manifest.json"))
    again = run(tmp_path, *tiny_methods["affinity"], SEEDS_STAGES)
    for stage, pattern in (("affinity", "*.safetensors"), ("affinity", "labels/*.png")):
        paths = [sorted(runs[stage].folder.glob(pattern)) for runs in (done, again)]
        assert paths[0]
        for one, other in zip(*paths, strict=True):
            assert one.name == other.name
            assert one.read_bytes() == other.read_bytes()


@pytest.mark.minutes
def test_stages_run_on_two_processes(start, spread, tiny_methods, tmp_path):
    done = spread["affinity"]
    for stage in ("classify", "localize"):
        shutil.copytree(done[stage].folder, tmp_path / stage / done[stage].folder.name)
    words = (*tiny_methods["affinity"], "trainer=ddp_cpu", "workers=1", SEEDS_STAGES)
    process = start(tmp_path, *words)
    assert process.wait() == 0, process.output.read_text()
    assert len(list(tmp_path.glob("affinity/*/labels/*.png"))) == 9
    assert len(list(tmp_path.glob("propagate/*/seeds/*.npz"))) == 9


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["backbone=deit_small", "segmenter=deeplabv3plus_lite0"], "shows no inner layers"),
        (["affinity.layers=[blocks.9]"], "no inner layer is called 'blocks.9'"),
        (["affinity.augmentation.crop_px=30"], "a multiple of 4"),
        (["refine=feature_affinity_crf", "propagate=learned"], "no class boundaries"),
        (
            ["refine=attention_affinity_crf", "propagate.method.attention_network=null"],
            "pays no attention.*`backbone=deit_small`",
        ),
        (["propagate.num_steps=-1"], r"^propagate\.num_steps: -1.*0 or more"),
    ],
)
def test_what_cannot_work_is_found_beforehand(run, tiny_methods, tmp_path, words, message):
    tiny = tiny_methods["affinity"]
    if any(word.startswith("refine=") for word in words):
        tiny = ()
    with pytest.raises(WsssError, match=message):
        run(tmp_path, *tiny, *words, SEEDS_STAGES)
    assert not list(tmp_path.glob("classify/*"))
