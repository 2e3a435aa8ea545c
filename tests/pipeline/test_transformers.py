"""A vision transformer with patches of 14 px as the classifier of a run."""

import json

import numpy as np
import pytest
import timm
from safetensors.torch import load_file

from wsss.errors import WsssError

WORDS = (
    "backbone=dinov2_small",
    "backbone.weights=null",
    "segmenter=deeplabv3plus_lite0",
)
FINETUNED = (
    *WORDS,
    "classify=finetune",
    "classify.max_epochs=1",
    "classify.batch_size=4",
    "classify.augmentation.crop_px=64",
)
FOR_FROZEN = ("classify.max_epochs", "classify.feature")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    create = timm.create_model

    def created(name, **options):
        sizes = {"embed_dim": 32, "depth": 2, "num_heads": 2} if "dinov2" in name else {}
        return create(name, **sizes, **options)

    monkeypatch.setattr(timm, "create_model", created)


def seeds_and_masks(outcomes):
    seeds = sorted((outcomes["localize"].folder / "seeds").glob("*.npz"))
    masks = sorted((outcomes["refine"].folder / "masks").glob("*.png"))
    return seeds, masks


@pytest.mark.slow
def test_frozen_features_of_tokens_become_seeds_and_masks(run, tmp_path):
    outcomes = run(tmp_path, *WORDS, "stages=[classify,localize,refine]")
    seeds, masks = seeds_and_masks(outcomes)
    assert len(seeds) == len(masks) == 9
    with np.load(seeds[0]) as first:
        assert np.isfinite(first["maps"]).all()
    description = json.loads((outcomes["classify"].folder / "classifier.json").read_text())
    assert description["backbone"]["output_stride"] == 14


@pytest.mark.slow
def test_a_network_of_tokens_is_fine_tuned_with_a_decay_by_layers(run, tmp_path):
    words = (*FINETUNED, "classify.freeze=none", "stages=[classify,localize,refine]")
    weights = {}
    for decay in ("null", "1.0e-6"):
        decayed = f"classify.layer_decay={decay}"
        outcomes = run(tmp_path, *words, decayed, without=FOR_FROZEN)
        seeds, masks = seeds_and_masks(outcomes)
        assert len(seeds) == len(masks) == 9
        weights[decay] = load_file(outcomes["classify"].folder / "classifier.safetensors")
    # So steep a decay leaves the embedding of patches where it began: at the seed's random numbers.
    first = {
        decay: state["features.network.patch_embed.proj.weight"] for decay, state in weights.items()
    }
    last = {decay: state["features.network.norm.weight"] for decay, state in weights.items()}
    assert (first["null"] - first["1.0e-6"]).abs().max() > 1e-5
    assert all((one - 1).abs().max() > 1e-5 for one in last.values())


def test_a_decay_by_layers_that_cannot_be_is_refused_before_anything_runs(run, tmp_path):
    tuned = ("classify=finetune", "classify.augmentation.crop_px=64", "classify.batch_size=4")
    for words, said in (
        (("classify.layer_decay=1.5",), "above 0"),
        (("classify.layer_decay=0.75", "classify.freeze=backbone"), "backbone is frozen"),
        (
            (
                "classify.layer_decay=0.75", "backbone=efficientnet_lite0_lite2",
                "segmenter=deeplabv3plus_lite0",
            ),
            "does not tell its layers",
        ),
    ):  # fmt: skip
        with pytest.raises(WsssError, match=rf"classify\.layer_decay.*{said}"):
            run(tmp_path, *tuned, *words, without=FOR_FROZEN)
        assert not list(tmp_path.glob("classify/*"))
