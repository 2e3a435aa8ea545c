import json
import sys

import pytest

from wsss.data.sources.folder.folder import Folder


@pytest.fixture
def benchmark(monkeypatch):
    import benchmark_levers

    return benchmark_levers


LEVERS = {
    "probe": {"words": ["refine=probe_crf"], "kept": True},
    "Lite2": {"words": ["backbone=efficientnet_lite2", "seed=1"], "kept": True},
    "Lite1": {"words": ["backbone=efficientnet_lite1"]},
}


def test_each_lever_is_tried_alone_and_what_is_kept_without_each(benchmark):
    assert benchmark.variants(LEVERS) == {
        "base": [],
        "+ probe": ["refine=probe_crf"],
        "+ Lite2": ["backbone=efficientnet_lite2", "seed=1"],
        "+ Lite1": ["backbone=efficientnet_lite1"],
        "together": ["refine=probe_crf", "backbone=efficientnet_lite2", "seed=1"],
        "together − probe": ["backbone=efficientnet_lite2", "seed=1"],
        "together − Lite2": ["refine=probe_crf"],
    }
    assert list(benchmark.variants({"Lite1": LEVERS["Lite1"]})) == ["base", "+ Lite1"]


def test_training_images_alone_are_seen_and_every_fourth_is_held_out(
    benchmark, write_folder, tmp_path
):
    ids = [f"img{number}" for number in range(9)]
    images = {f"{one}.jpg": ["cat" if number % 2 else "dog"] for number, one in enumerate(ids)}
    root = write_folder(images, masks=True, splits={"train": ids[:6], "val": ids[6:]})
    source = Folder(benchmark.held_out(root, tmp_path / "held_out"))
    assert [item.id for item in source.items("val")] == ["img0", "img4"]
    assert [item.id for item in source.items("train")] == ["img1", "img2", "img3", "img5"]
    assert source.read_mask(source.items("val")[0]) is not None


def test_what_was_run_with_the_same_words_is_not_run_again(
    benchmark, write_folder, monkeypatch, tmp_path
):
    ids = [f"img{number}" for number in range(8)]
    images = {f"{one}.jpg": ["cat" if number % 2 else "dog"] for number, one in enumerate(ids)}
    root = write_folder(images, splits={"train": ids[:6], "val": ids[6:]})
    levers, output = tmp_path / "levers.yaml", tmp_path / "out.json"
    ran = []

    def scores(words, _work_dir):
        ran.append(words[-2:])
        return {"pseudo_masks": 0.5 + 0.1 * len(ran), "minutes": 1.0}

    monkeypatch.setattr(benchmark, "scores", scores)
    for words in ("[lr=1]", "[lr=2]"):
        levers.write_text(f"base: [experiment=demo]\nlevers: {{rate: {{words: {words}}}}}")
        arguments = ["--data", root, "--levers", levers, "--output", output, "--seeds", "0", "1"]
        arguments += ["--work-dir", tmp_path / "runs"]
        monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, arguments)])
        assert benchmark.main() == 0
    assert ran == [
        ["experiment=demo", "seed=0"],
        ["experiment=demo", "seed=1"],
        ["lr=1", "seed=0"],
        ["lr=1", "seed=1"],
        ["lr=2", "seed=0"],
        ["lr=2", "seed=1"],
    ]
    written = json.loads(output.read_text())
    assert written["oracle"] is True
    found = benchmark.summed_up({"0": {"a": 1.0}, "1": {"a": 3.0, "b": 5.0}})
    assert found == {"a": (2.0, pytest.approx(2**0.5)), "b": (5.0, 0.0)}
