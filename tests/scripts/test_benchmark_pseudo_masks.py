import json
import sys

import numpy as np
import pytest
from PIL import Image

from wsss.artifacts import Seeds, SeedStore, seed_size
from wsss.data.sources.folder.folder import Folder

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
