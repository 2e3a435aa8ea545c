import json
import sys

import benchmark_explain
import torch


def test_scores_are_measured_beside_as_many_passes(monkeypatch, tmp_path, capsys):
    path = tmp_path / "b.json"
    words = ["--size-px", "32", "--methods", "cam", "--rounds", "1", "--warm-up", "0"]
    monkeypatch.setattr(sys, "argv", ["benchmark_explain", *words, "--output", str(path)])
    benchmark_explain.main()
    written = json.loads(path.read_text())
    assert set(written["rows"]) == {"forward passes", "cam", "before"}
    assert written["passes"] == 5 + 2 * (5 + 1)  # 1024 pixels in steps of 224
    bare, own = (written["rows"][name]["seconds"]["median"] for name in ("forward passes", "cam"))
    assert written["rows"]["cam"]["times_passes"]["median"] == own / bare
    assert "17 passes of 32 px" in capsys.readouterr().out


def test_bare_passes_are_as_many_as_asked_for():
    seen = []
    image = torch.zeros(1, 3, 8, 8)
    benchmark_explain.bare_passes(lambda batch: seen.append(len(batch)), image, 10, 4)
    assert seen == [4, 4, 2]
