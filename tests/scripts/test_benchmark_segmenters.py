import json
import subprocess
import sys

import pytest

from wsss.artifacts import write_json


@pytest.fixture
def benchmark(monkeypatch, tmp_path):
    import benchmark_segmenters

    def run(*words):
        output = tmp_path / "segmenters.json"
        command = ["benchmark_segmenters.py", "--output", output, "--work-dir", tmp_path / "runs"]
        monkeypatch.setattr(sys, "argv", [*map(str, command), *map(str, words)])
        assert benchmark_segmenters.main() == 0
        return json.loads(output.read_text())["segmenters"]

    return run


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What was computed: the words of every process and run; DPT's weights are out of reach."""
    words_of = []
    step = {"parameters": 3e6, "encoder_parameters": 2e6, "step_s": 0.5, "peak_mib": 100.0}

    def measured_apart(words, device, steps, rounds):
        words_of.append(["step", *words])
        return {**step, "batch_size": 2}

    def stage_folders(words, work_dir):
        words_of.append(words)
        if "segmenter=dpt" in words:
            raise subprocess.CalledProcessError(1, "wsss")
        scores = {name: {"miou": 0.5} for name in ("segmenter", "segmenter_tta_crf")}
        write_json(tmp_path / "metrics.json", {"subjects": scores})
        write_json(tmp_path / "manifest.json", {"wall_time_s": 90.0})
        return {"evaluate": tmp_path, "segment": tmp_path}

    monkeypatch.setattr("benchmark_segmenters.measured_apart", measured_apart)
    monkeypatch.setattr("benchmark_segmenters.stage_folders", stage_folders)
    return words_of


def test_every_segmenter_is_measured_once_and_what_failed_again(benchmark, asked, tmp_path, capsys):
    from benchmark_segmenters import SEGMENTERS

    (tmp_path / "refine" / "masks").mkdir(parents=True)
    words = ("--masks", tmp_path / "refine", "--seeds", 0, 1, "--set", "experiment=demo")
    found = benchmark(*words)
    assert [*found] == [*SEGMENTERS]
    assert len(asked) == 3 * len(SEGMENTERS)
    for own in asked:
        assert own[0] == "step" or f"refine.masks={tmp_path / 'refine' / 'masks'}" in own
    assert found["unet"]["runs"]["1"]["found"] == {
        "segmenter": 0.5, "segmenter_tta_crf": 0.5, "minutes": 1.5,
    }  # fmt: skip
    assert "wsss run ends with 1" in found["dpt (deit_small)"]["runs"]["0"]["found"]
    asked.clear()
    assert benchmark(*words) == found
    assert {"segmenter=dpt" in own for own in asked} == {True}
    assert len(asked) == 2
    assert "0.5000" in capsys.readouterr().out


@pytest.mark.slow
def test_a_step_is_measured(monkeypatch):
    import benchmark_segmenters

    words = [
        *benchmark_segmenters.SEGMENTERS["segformer"], "experiment=demo", "segment.batch_size=2",
        "segment.augmentation.crop_px=32",
    ]  # fmt: skip
    found = benchmark_segmenters.measured(words, "cpu", 1, 1)
    assert found["step_s"] > 0
    assert (found["batch_size"], found["crop_px"]) == (2, 32)
    # Linear layers of five maps and one for all, its norm, and a linear layer for nine labels.
    widths = sum(channels + 1 for channels in (16, 24, 40, 112, 320)) * 256
    joined = 5 * 256 * 256 + 2 * 256
    assert found["parameters"] - found["encoder_parameters"] == widths + joined + 257 * 9
