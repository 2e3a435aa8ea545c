"""Every backbone from images to masks, with random weights and few layers."""

import numpy as np
import pytest
from every_backbone import WORDS, make_shallow, words

DATA = ("data.num_train=4", "data.num_val=2")


@pytest.mark.slow
@pytest.mark.parametrize("word", WORDS)
def test_a_backbone_gives_seeds_and_masks(word, run, tmp_path, monkeypatch):
    make_shallow(monkeypatch)
    outcomes = run(tmp_path, *words(word), *DATA, "stages=[classify,localize,refine]")
    seeds = sorted((outcomes["localize"].folder / "seeds").glob("*.npz"))
    assert len(seeds) == len([*(outcomes["refine"].folder / "masks").glob("*.png")]) == 4
    for file in seeds:
        with np.load(file) as one:
            assert one["maps"].shape[0] == len(one["classes"]) > 0
            assert np.isfinite(one["maps"]).all()
            assert 0 <= one["maps"].min() <= one["maps"].max() <= 1
