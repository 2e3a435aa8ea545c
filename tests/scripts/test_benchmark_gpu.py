import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

TINY = (
    "workers=0", "classify.max_epochs=2", "classify.feature_windows=1",
    "classify.feature_scales.factors=[1.0]", "classify.checkpoint_every_n_epochs=2",
    "localize.scales.factors=[1.0]",
    "refine.method.engine.num_iterations=1", "segmenter.decoder_channels=8",
    "segment.max_epochs=1", "segment.batch_size=4", "segment.augmentation.crop_px=32",
    "evaluate.scales.factors=[1.0]", "evaluate.crf.num_iterations=1", "evaluate.gallery_images=1",
)  # fmt: skip
SIZE = (40, 48)
CRF = ("--count", 2, "--batch", 2, "--size", 24, 32, "--labels", 2, "--groups", 1, "--rounds", 1)


@pytest.fixture
def found():
    from gpu_benchmark.parts import Found

    return Found()


@pytest.fixture
def benchmark(monkeypatch, tmp_path):
    import benchmark_gpu

    def run(*words):
        command = ["benchmark_gpu.py", *words, "--device", "cpu", "--output", tmp_path / "out"]
        command += ["--limit-s", 600, "--set", *TINY, "--crf", *CRF, "--iterations", 1]
        monkeypatch.setattr(sys, "argv", [*map(str, command)])
        status = benchmark_gpu.main()
        return status, json.loads((tmp_path / "out" / "benchmark_gpu.json").read_text())

    return run


@pytest.mark.minutes
def test_a_tiny_benchmark(benchmark, write_folder, tmp_path, capsys):
    data = write_folder(masks=True, size=SIZE)
    words = ["--rounds", 1, "--steps", 2, "--images", 3, "--shape-seconds", 0]
    words += ["--shape-batch", 1, "--max-cells", 5]
    status, result = benchmark(data, *words)
    parts = result["parts"]
    assert {name: part["status"] for name, part in parts.items()} == dict.fromkeys(
        ("recipe", "planning", "crf", "training", "precision", "affinity", "shapes"), "ok"
    ), {name: part["why"] for name, part in parts.items()}
    assert status == 0

    manifests = map(Path.read_text, tmp_path.glob("out/recipe/*/*/manifest.json"))
    walls = {one["stage"]: one["wall_time_s"] for one in map(json.loads, manifests)}
    stages = parts["recipe"]["stages"]
    assert {stage: one["wall_time_s"] for stage, one in stages.items()} == {
        stage: wall for stage, wall in walls.items() if stage not in ("affinity", "propagate")
    }
    assert parts["recipe"]["stages_s"] == pytest.approx(sum(walls[stage] for stage in stages))
    masks = len([*tmp_path.glob("out/recipe/refine/*/masks/*.png")])
    rate = parts["recipe"]["images_per_s"]["refine"]
    assert rate == pytest.approx(masks / stages["refine"]["wall_time_s"])

    # All images are of one size and the scale is one: full batches, and perhaps one that is not.
    assert 1 <= parts["planning"]["localize"]["shapes"] <= 2
    training = parts["training"]["images_per_s"]
    assert len(training) == 6
    assert min(training.values()) > 0
    precision = parts["precision"]
    assert 0 < precision["tf32"]["largest"] < precision["bf16"]["largest"]
    assert 0 < precision["bf16"]["largest"] <= 1
    assert precision["float32"]["images"] == 3
    assert 0 <= precision["float32"]["seed_miou_at_0.3"] <= 1
    assert parts["affinity"]["images"] == masks
    assert len(parts["shapes"]["settings"]) == 10
    aims = {aim["name"]: aim for aim in result["aims"]}
    assert aims["all stages"]["found"] == parts["recipe"]["stages_s"]
    assert aims["all stages"]["found"] == parts["recipe"]["stages_s"]
    assert {one["met"] for one in aims.values()} == {None}  # They are meant for a GPU.
    assert aims["images/s, 2 labels"]["found"] == parts["crf"]["parts"][0]["images_per_s"]["gpu"]
    said = capsys.readouterr().out
    assert "ok  shapes" in said
    assert result["environment"]["device"] == "cpu"


def test_parts_that_need_the_recipe_say_so(benchmark, write_folder):
    status, result = benchmark(write_folder(), "--parts", "precision", "affinity")
    assert status == 1
    for part in result["parts"].values():
        assert part["status"] == "failed"
        assert "run the part before" in part["why"]


def test_seconds_between_files(tmp_path):
    from gpu_benchmark.recipe import seconds_between

    times = {"features/a.npy": 100, "features/b.npy": 107, "classifier.safetensors": 119}
    for name, when in times.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (when, when))
    assert seconds_between(tmp_path, "features/*.npy", "*.safetensors") == 12
    assert seconds_between(tmp_path, "labels/*.png", "*.safetensors") is None


def test_planning_is_what_first_passes_take_longer(monkeypatch):
    from gpu_benchmark import planning

    seen = set()

    def seconds_of(call, device):
        shape = tuple(call.args[0].shape)
        new = shape not in seen
        seen.add(shape)
        return 2.5 if new else 0.5

    monkeypatch.setattr(planning, "seconds_of", seconds_of)
    counts = {(2, 32, 48): 4, (1, 48, 32): 6}
    spent = planning.planned(nn.Identity(), counts, torch.device("cpu"), limit_s=60)
    assert spent["planning_s"] == 2 * 2.0
    assert spent["worst_s"] == 2.0
    assert spent["passes_s"] == 10 * 0.5
    cut = planning.planned(nn.Identity(), {(3, 32, 48): 1, **counts}, torch.device("cpu"), -1)
    assert (cut["measured"], cut["shapes"]) == (1, 3)
    assert cut["planning_s"] == 3 * 2.0


def test_layers_are_timed_by_kind():
    from gpu_benchmark.new_shapes import by_layer

    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 2, 1), nn.ReLU()
    )
    found = by_layer(network, torch.rand(1, 3, 32, 32), torch.device("cpu"))
    assert list(found) == ["depthwise", "pointwise", "convolutions", "others"]
    assert not network[0]._forward_hooks


def test_torch_is_left_as_it_was():
    from gpu_benchmark.new_shapes import Setting, computing_so

    def state():
        cudnn = torch.backends.cudnn
        return torch.are_deterministic_algorithms_enabled(), cudnn.enabled, cudnn.allow_tf32

    before = state()
    with computing_so(Setting(precision="tf32", cudnn=False), torch.device("cpu")):
        assert state() == (True, False, True)
    assert state() == before


def test_rounds_take_turns_and_the_first_does_not_count():
    from gpu_benchmark.waiting import interleaved

    called = []

    def call(name):
        called.append(name)
        return float(len(called))

    values = interleaved({name: lambda name=name: call(name) for name in "ab"}, rounds=2)
    assert called == [*"ababab"]
    assert values == {"a": [3.0, 5.0], "b": [4.0, 6.0]}


def test_a_busy_card_is_told(monkeypatch):
    from gpu_benchmark import environment

    monkeypatch.setattr(environment, "asked", lambda *_: "30000, 97")
    assert "30000 MB are in use and it is 97 % busy" in environment.others_on_card("gpu")
    monkeypatch.setattr(environment, "asked", lambda *_: "4, 0")
    assert environment.others_on_card("gpu") is None
    assert environment.others_on_card("cpu") is None


def test_the_miou_of_seeds_of_planted_masks(tmp_path):
    from types import SimpleNamespace

    from gpu_benchmark.precision import seed_miou

    from wsss.artifacts import Seeds, SeedStore
    from wsss.data.sample import Item

    item, store = Item("a", (1,)), SeedStore(tmp_path)
    target = np.zeros((8, 8), np.uint8)
    target[:, :4] = 1
    maps = np.zeros((1, 8, 8), np.float16)
    maps[:, :, :2] = 1  # Half of the object, nothing else.
    store.write(item, Seeds(np.array([1], np.uint16), maps, (8, 8)))
    source = SimpleNamespace(class_names=("cat",), read_mask=lambda _: target)
    composed = SimpleNamespace(source=source)
    assert seed_miou(composed, [item], store) == pytest.approx((0.5 + 32 / 48) / 2)


def test_factors_are_rounded_as_tf32_rounds_them():
    """Ten bits behind the point, to the nearest, ties away from zero; sums stay in float32."""
    from gpu_benchmark.tf32_on_cpu import RoundedFactors, as_tf32

    step = 2.0**-10
    values = [1 + 0.49 * step, 1 + 0.5 * step, 1 + 0.51 * step, -1 - 0.5 * step, 3.0, 0.0]
    expected = [1, 1 + step, 1 + step, -1 - step, 3, 0]
    assert as_tf32(torch.tensor(values)).tolist() == expected
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, 9, 9, generator=generator)
    weights = torch.randn(4, 3, 3, 3, generator=generator)
    exact = F.conv2d(as_tf32(images).double(), as_tf32(weights).double())
    with RoundedFactors():
        found = F.conv2d(images, weights)
        features = F.linear(found.mean(dim=(2, 3)), weights.flatten(1)[:, :4])
    # Products of eleven bits are exact, and a sum of 27 rounds 26 times.
    most = F.conv2d(images.abs(), weights.abs()).max().item() * (1 + step) ** 2
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=26 * 2**-24 * most)
    assert (F.conv2d(images, weights).double() - exact).abs().max() > 1e-4
    mean = as_tf32(found.mean(dim=(2, 3)))
    product = mean.double() @ as_tf32(weights.flatten(1)[:, :4]).double().T
    most = (mean.abs() @ weights.flatten(1)[:, :4].abs().T).max().item() * (1 + step) ** 2
    torch.testing.assert_close(features.double(), product, rtol=0, atol=3 * 2**-24 * most)


def test_aims_are_judged_where_something_was_measured():
    from gpu_benchmark.parts import at_least, at_most

    assert [at_most("", found, 2).met for found in (None, 2, 2.1)] == [None, True, False]
    assert [at_least("", found, 2).met for found in (None, 2, 1.9)] == [None, True, False]


def test_without_a_gpu_the_cpu_is_measured_on_demand_alone(monkeypatch, tmp_path, capsys):
    import benchmark_gpu

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for words in ([], ["--device", "gpu"]):
        monkeypatch.setattr(sys, "argv", ["benchmark_gpu.py", str(tmp_path), *words])
        assert benchmark_gpu.main() == 1
        assert "`--device cpu` measures the CPU" in capsys.readouterr().out
