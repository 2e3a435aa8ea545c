import json
import sys

import pytest


@pytest.mark.slow
def test_parts_are_written_as_they_end(monkeypatch, tmp_path):
    import benchmark_crf_gpu

    words = ["--output", tmp_path, "--device", "cpu", "--count", 3, "--batch", 2, "--size", 24, 32]
    words += ["--labels", 2, 21, "--groups", 1, 2, "--rounds", 1, "--iterations", 2]
    monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, words)])
    written = []
    write = benchmark_crf_gpu.write_json
    monkeypatch.setattr(
        benchmark_crf_gpu,
        "write_json",
        lambda path, result: written.append(len(result["parts"])) or write(path, result),
    )
    benchmark_crf_gpu.main()
    assert written == [1, 2, 3, 4, 5, 6, 7]
    result = json.loads((tmp_path / "benchmark_crf_gpu.json").read_text())
    assert result["environment"]["device"] == "cpu"
    for part in result["parts"][:3]:
        assert part["labels_agree"]
        assert part["images_per_s"]["gpu"] > 0
        assert part["images_per_s"]["cpu"] > 0
    assert set(result["parts"][4]) == {"name", "1", "2"}
