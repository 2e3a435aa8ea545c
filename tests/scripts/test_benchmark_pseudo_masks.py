import json
import sys

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import jaccard_score

from wsss.artifacts import Seeds, SeedStore, seed_size
from wsss.data.sources.folder.folder import Folder
from wsss.metrics.bootstrap import RESAMPLES, image_weights
from wsss.metrics.confusion import confusion_matrix
from wsss.metrics.overlaps import overlaps

SIZE = (24, 32)


@pytest.fixture
def benchmark(monkeypatch):
    import benchmark_pseudo_masks

    return benchmark_pseudo_masks


def test_seeds_that_are_the_masks_score_one_where_the_threshold_parts_them(
    benchmark, write_folder, monkeypatch, tmp_path
):
    root = write_folder(masks=True, size=SIZE)
    source = Folder(root)
    store = SeedStore(tmp_path / "localize" / "seeds")
    for item in source.items("train"):
        truth = np.array(Image.open(item.mask).resize(seed_size(*SIZE)[::-1], Image.NEAREST))
        maps = np.stack([np.where(truth == label, 0.9, 0.1) for label in item.labels])
        store.write(item, Seeds(np.array(item.labels, np.uint16), maps.astype(np.float16), SIZE))
    output = tmp_path / "result.json"
    words = ["--localize", str(tmp_path / "localize"), "--data", str(root), "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["benchmark", *words, "--thresholds", "0.05", "0.5", "0.95"])
    benchmark.main()
    result = json.loads(output.read_text())
    assert result["oracle"] is True
    assert result["images"] == len(source.items("train"))
    scores = result["scores"]
    # At 0.05 everything is foreground, at 0.95 nothing is: the tags' share of pixels decides.
    assert scores["seeds = 0.5"]["miou"] > 0.6
    assert scores["seeds = 0.5"]["miou"] > scores["seeds = 0.05"]["miou"]
    assert scores["seeds = 0.5"]["miou"] > scores["seeds = 0.95"]["miou"]
    for background in ("level", "power"):
        assert scores[f"{background} otsu"]["miou"] > scores["seeds = 0.5"]["miou"] - 0.1
    bands = [scores[f"void: factor {factor}"]["coverage"] for factor in benchmark.FACTORS]
    assert bands == sorted(bands, reverse=True)
    assert scores["level otsu"]["coverage"] == 1
    assert all(row["miou_low"] <= row["miou_high"] for row in scores.values())


def test_an_interval_is_that_of_the_drawn_images_pixels(benchmark):
    rng = np.random.default_rng(0)
    truths, masks = rng.integers(3, size=(2, 7, *SIZE)).astype(np.uint8)
    pairs = [*zip(masks, truths, strict=True)]
    found = benchmark.miou_interval(
        np.stack([overlaps(confusion_matrix(mask, truth, 2)) for mask, truth in pairs])
    )
    (weights,) = image_weights(7, RESAMPLES)
    draws = []
    for row in weights.astype(int):
        drawn = (np.repeat(one, row, axis=0).ravel() for one in (truths, masks))
        draws.append(jaccard_score(*drawn, average="macro"))
    expected = np.quantile(draws, [0.025, 0.975])
    assert [found["miou_low"], found["miou_high"]] == pytest.approx(expected)
