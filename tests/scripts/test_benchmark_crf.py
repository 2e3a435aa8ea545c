import json
import sys

import cv2
import numpy as np
import pytest


@pytest.mark.minutes
def test_engines_are_timed_beside_the_reference_and_have_its_labels(monkeypatch, tmp_path):
    import benchmark_crf

    rng = np.random.default_rng(0)
    for number in range(2):
        coarse = rng.integers(0, 256, (4, 6, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), cv2.resize(coarse, (60, 40)))
    words = ["--images", tmp_path, "--output", tmp_path / "out", "--count", 2, "--size", 24, 32]
    words += ["--labels", 2, "--iterations", 1, "--rounds", 1, "--batch-images", 2]
    words += ["--torch", "cpu", "--skip-processes"]
    monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, words)])
    benchmark_crf.main()
    result = json.loads((tmp_path / "out" / "benchmark_crf.json").read_text())
    for row in result["one"]:
        assert set(row["times"]) == {"pydensecrf", "numba", "torch"}
        assert all(row["times"]["numba"][count]["median"] > 0 for count in ("0", "1"))
    assert {row["engine"] for row in result["agreement"]} == {"numba", "torch"}
    assert all(row["max_delta"] < 1e-3 for row in result["agreement"])
    for row in result["batches"]:
        assert row["labels_differ"] == {"numba": 0, "torch": 0}
        assert set(row["ratio"]) == {"numba", "torch"}
    table = (tmp_path / "out" / "benchmark_crf.md").read_text()
    assert table.count("| numba, irn |") == 3
