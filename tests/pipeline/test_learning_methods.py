"""Methods that train something of their own between the classifier and the maps."""

import json
import shutil
import time

import pytest
import torch

from wsss.models.last_block import cut_before_last_stage
from wsss.models.saved_networks import load_classifier, load_pair_heads

STAGES = {"recam": ("reactivate", "classifier"), "meng": ("oppose", "pair_heads")}
"""The stage of each method, and what it exports."""


@pytest.fixture(scope="module")
def learned(run, finished, tiny_methods):
    """The outcomes of each method, in the folder where plain maps were computed before."""
    work_dir = finished["classify"].folder.parents[1]
    return {method: run(work_dir, *tiny_methods[method]) for method in STAGES}


@pytest.mark.slow
@pytest.mark.parametrize("method", STAGES)
def test_a_method_with_its_own_stage_runs_from_end_to_end(learned, finished, method):
    outcomes, (stage, _) = learned[method], STAGES[method]
    chain = [*finished]
    chain.insert(1, stage)
    assert [*outcomes] == chain
    cached = {name for name, outcome in outcomes.items() if outcome.cached}
    assert cached == {"classify"}
    assert set(outcomes["localize"].manifest.basis["inputs"]) == {"classify", stage}
    assert set(finished["localize"].manifest.basis["inputs"]) == {"classify"}
    name, value = outcomes[stage].key_number
    assert 0 <= value < 10, name
    report = (outcomes["report"].folder / "report.html").read_text()
    assert {"recam": "Second classifier", "meng": "Pairs of classes"}[method] in report


@pytest.mark.slow
def test_the_second_classifier_is_exported_beside_the_first(learned):
    folders = [learned["recam"][stage].folder for stage in ("classify", "reactivate")]
    (before, _), (after, names) = map(load_classifier, folders)
    assert json.loads((folders[1] / "classifier.json").read_text())["head"] == "ReactivatedHead"
    assert len(names) == after.head.second_weight.shape[0] == 8
    assert not torch.equal(after.head.weight, before.head.weight)
    for one, other in zip(
        before.features.state_dict().values(), after.features.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)  # The backbone is frozen.


@pytest.mark.slow
def test_pair_heads_are_exported_with_the_opponents_names(learned):
    outcome = learned["meng"]["oppose"]
    description = json.loads((outcome.folder / "pair_heads.json").read_text())
    classifier, _ = load_classifier(learned["meng"]["classify"].folder)
    heads = load_pair_heads(outcome.folder, classifier.features)
    numbers = outcome.manifest.numbers
    assert numbers["representatives"] == 3  # The rounded root of eight.
    assert numbers["pairs"] == len(heads.targets)
    assert sum(map(len, description["opponents"].values())) == len(heads.targets)
    for name, opponents in description["opponents"].items():
        assert opponents
        assert name not in opponents
    assert heads.weight.abs().amax(dim=(1, 2)).gt(0).any()
    assert not (outcome.folder / "features").exists()  # The classifier's own were read.


@pytest.mark.slow
@pytest.mark.parametrize("method", STAGES)
def test_killed_after_an_epoch_it_ends_with_the_same_bytes(
    start, run, learned, tiny_methods, method, tmp_path
):
    stage, name = STAGES[method]
    done = learned[method]
    shutil.copytree(done["classify"].folder, tmp_path / "classify" / done["classify"].folder.name)
    words = (*tiny_methods[method], f"stages=[classify,{stage}]")
    process = start(tmp_path, *words)
    deadline = time.monotonic() + 300
    while process.poll() is None and not list(tmp_path.glob(f"{stage}/*/checkpoints/*.ckpt")):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    assert not list(tmp_path.glob(f"{stage}/*/manifest.json"))
    again = run(tmp_path, *words)
    assert again[stage].folder.name == done[stage].folder.name
    paths = [runs[stage].folder / f"{name}.safetensors" for runs in (done, again)]
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.minutes
@pytest.mark.parametrize("method", STAGES)
def test_own_stages_train_on_two_processes(start, learned, tiny_methods, method, tmp_path):
    done = learned[method]["classify"].folder
    shutil.copytree(done, tmp_path / "classify" / done.name)
    stage, _ = STAGES[method]
    words = ("trainer=ddp_cpu", f"stages=[classify,{stage},localize]")
    process = start(tmp_path, *tiny_methods[method], *words)
    assert process.wait() == 0, process.output.read_text()
    assert len(list(tmp_path.glob("localize/*/seeds/*.npz"))) == 9


@pytest.mark.minutes
def test_pairs_learn_a_last_stage_each(run, tmp_path):
    words = ("oppose=meng_finetune", "oppose.augmentation.crop_px=64", "oppose.max_epochs=1")
    words = ("cam=meng", *words, "oppose.batch_size=4", "oppose.num_representatives=2")
    words = (*words, "stages=[classify,oppose,localize]")
    outcomes = run(tmp_path, *words)
    classifier, _ = load_classifier(outcomes["classify"].folder)
    networks = load_pair_heads(outcomes["oppose"].folder, classifier.features)
    assert len(networks.stages) == outcomes["oppose"].manifest.numbers["pairs"]
    _, stage = cut_before_last_stage(classifier.features)
    trained = [dict(one.named_parameters()) for one in networks.stages]
    for name, before in stage.named_parameters():
        assert any(not torch.equal(one[name], before) for one in trained)
    for name, before in stage.named_buffers():
        assert all(torch.equal(dict(one.named_buffers())[name], before) for one in networks.stages)
    assert len(list((outcomes["localize"].folder / "seeds").glob("*.npz"))) == 9


@pytest.mark.slow
def test_a_fine_tuned_classifier_is_reactivated_and_opposed(
    run, tiny_overrides, tiny_methods, tmp_path
):
    # What the tiny pipeline says of a frozen classifier has no place here.
    tiny = [word for word in tiny_overrides if not word.startswith("classify.")]
    tuned = (
        "classify=finetune",
        "classify.max_epochs=1",
        "classify.batch_size=4",
        "classify.augmentation.crop_px=64",
    )
    for method, (stage, _) in STAGES.items():
        words = (*tuned, *tiny_methods[method], f"stages=[classify,{stage},localize]")
        outcomes = run(tmp_path, *words, tiny=tiny)
        assert len(list((outcomes["localize"].folder / "seeds").glob("*.npz"))) == 9
    assert len(list(tmp_path.glob("oppose/*/features/*.npy"))) == 14
    backbones = [
        load_classifier(next(tmp_path.glob(f"{stage}/*/manifest.json")).parent)[0].features
        for stage in ("classify", "reactivate")
    ]
    weights = [
        {name: value for name, value in backbone.state_dict().items() if "conv_head" in name}
        for backbone in backbones
    ]
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.minutes
def test_a_sweep_over_methods_shares_the_classifier(start, finished, tmp_path):
    done = finished["classify"].folder
    shutil.copytree(done, tmp_path / "classify" / done.name)
    sweep = (
        "cam=cam,recam,meng",
        "++reactivate.max_epochs=1",
        "++oppose.max_epochs=1",
        "stages=[classify,reactivate,oppose,localize]",
    )
    process = start(tmp_path, "-m", *sweep)
    assert process.wait() == 0, process.output.read_text()
    counts = {
        stage: len(list(tmp_path.glob(f"{stage}/*/manifest.json")))
        for stage in ("classify", "reactivate", "oppose", "localize")
    }
    assert counts == {"classify": 1, "reactivate": 1, "oppose": 1, "localize": 3}
