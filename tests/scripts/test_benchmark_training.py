import json
import sys

import pytest

TINY = ("data.num_train=4", "data.num_val=2", "data.size_px=64", "segmenter.decoder_channels=8",
        "segment.batch_size=2", "segment.augmentation.crop_px=32")  # fmt: skip


@pytest.fixture
def benchmark(monkeypatch, tmp_path):
    import benchmark_training

    def run(*words):
        output = tmp_path / "training.json"
        command = ["benchmark_training.py", "--output", output, "--rounds", 1, *words]
        monkeypatch.setattr(sys, "argv", [*map(str, command), "--set", *TINY])
        assert benchmark_training.main() == 0
        return json.loads(output.read_text())

    return run


@pytest.mark.slow
def test_the_stage_is_timed_beside_the_bare_loop(benchmark):
    found = benchmark("--images", 4, "--epochs", 3, "--ways", "stage")
    assert list(found["images_per_s"]) == [
        "bare loop, contiguous", "bare loop, channels last", "stage",
    ]  # fmt: skip
    assert [len(one) for one in found["epochs"].values()] == [1, 1, 2]
    assert all(rate > 0 for rate in found["images_per_s"].values())
    assert (found["images"], found["batch_size"], found["crop_px"]) == (4, 2, 32)


def test_the_faster_bare_loop_is_what_a_stage_is_measured_by(benchmark, monkeypatch):
    import torch

    seconds = {torch.contiguous_format: 0.5, torch.channels_last: 1.0}
    monkeypatch.setattr("benchmark_training.bare_seconds", lambda *words: seconds[words[-1]])
    monkeypatch.setattr(
        "benchmark_training.stage_rates", lambda *_, **options: (1.0, [2.0, 4.0, 3.0])
    )
    found = benchmark("--images", 4, "--ways", "stage", "bf16")
    # Two steps of two images in half a second.
    assert found["images_per_s"]["bare loop, contiguous"] == 8
    assert found["of_bare_loop"]["stage"] == found["of_bare_loop"]["stage, bf16"] == 3 / 8
    assert found["first_epoch_images_per_s"]["stage"] == 1
