import json
import sys

import pytest
import torch
from omegaconf import OmegaConf

from wsss.models import SplitClassifier, TimmBackbone
from wsss.models.saved_networks import save_classifier

NAMES = ("disk", "square", "star")
NETWORKS = """
base: [experiment=demo, refine=crf, data.num_val=2, data.num_train=2, data.size_px=64]
networks:
  one: {stages: [classify], methods: {cam: [], gradcam: []}}
"""


@pytest.fixture
def benchmark(monkeypatch):
    import benchmark_sanity

    return benchmark_sanity


def test_every_method_has_one_network(benchmark):
    asked = OmegaConf.to_container(OmegaConf.load(benchmark.NETWORKS))
    named = [name for network in asked["networks"].values() for name in network["methods"]]
    assert sorted(named) == benchmark.method_names()


def test_networks_are_trained_as_the_benchmark_of_trained_networks_does(benchmark):
    asked = OmegaConf.to_container(OmegaConf.load(benchmark.NETWORKS))
    words = {name: benchmark.network_words(asked, one) for name, one in asked["networks"].items()}
    assert words["EfficientNet-Lite0, frozen"] == [*asked["base"], "stages=[classify]"]
    for name in ("vit_mini", "vig_mini"):
        assert f"backbone={name}" in words[name]
        assert "data.num_train=3000" in words[name]
        assert [word for word in words[name] if word.startswith("stages=")] == ["stages=[classify]"]
    assert "reactivate=frozen" in words["EfficientNet-Lite0, ReCAM's second classifier"]
    for own in words.values():
        benchmark.composed(own)


def test_what_is_there_is_kept_and_what_other_code_gave_is_not(
    benchmark, monkeypatch, tmp_path, capsys
):
    folder = tmp_path / "classify"
    folder.mkdir()
    torch.manual_seed(0)
    backbone = TimmBackbone("tf_efficientnet_lite0", "package")
    save_classifier(folder, SplitClassifier.linear(backbone, 3), NAMES)
    (tmp_path / "networks.yaml").write_text(NETWORKS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(benchmark, "stage_folders", lambda *_: {"classify": folder})
    seen = []
    original = benchmark.checked
    monkeypatch.setattr(
        benchmark,
        "checked",
        lambda method, *more: (seen.append(method), original(method, *more))[1],
    )

    def call(*more):
        seen.clear()
        words = ["script", "--networks", "networks.yaml", "--images", "1", *more]
        monkeypatch.setattr(sys, "argv", words)
        assert benchmark.main() == 0
        return json.loads((tmp_path / "runs" / "sanity.json").read_text())["methods"]

    call("--methods", "cam")
    assert seen == ["cam"]
    found = call("--methods", "cam", "gradcam")
    assert seen == ["gradcam"]
    assert found["cam"]["found"]["methods"]["cam"]["cascade"]["images"] == 1
    said = capsys.readouterr().out
    assert said.count("centred Gaussian") == 2  # Once a table.
    again = call("--methods", "cam", "--seed", "1")
    assert seen == ["cam"]
    assert again["gradcam"] == found["gradcam"]
    monkeypatch.setattr(benchmark, "code_digest", lambda: "other code")
    call("--methods", "cam", "--seed", "1")
    assert seen == ["cam"]
    with pytest.raises(SystemExit):
        call("--methods", "fg_cam")
    assert "no network for fg_cam" in capsys.readouterr().err
