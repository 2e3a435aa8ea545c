"""Each segmenter learns given masks, in a step or two, and is scored."""

import json

import numpy as np
import pytest
from PIL import Image

from wsss.data.source import TRAIN
from wsss.data.sources.synthetic import Synthetic
from wsss.models.saved_networks import load_segmenter
from wsss.settings.config_dir import config_dir

OPTIONS = sorted(path.stem for path in (config_dir() / "segmenter").glob("*.yaml"))
DATA = {"num_train": 4, "num_val": 2, "size_px": 64}
TINY = (
    *(f"data.{key}={value}" for key, value in DATA.items()),
    "refine=given",
    "stages=[refine,segment,evaluate]",
    "segment.max_epochs=1",
    "segment.batch_size=4",
    "segment.augmentation.crop_px=64",
    "evaluate.scales.factors=[1.0]",
    "evaluate.flip=false",
    "evaluate.crf.num_iterations=1",
    "segmenter.weights=null",
)
DECODERS = {
    "deeplabv2": ("segmenter.encoder=test_efficientnet", "segmenter.output_stride=16"),
    "unet": (
        "segmenter.encoder=test_efficientnet", "segmenter.decoder_channels=[16,16,8,8,8]",
    ),
    "dpt": (
        "segmenter.encoder=test_vit", "segmenter.decoder_channels=16",
        "segmenter.intermediate_channels=[8,16,16]",
    ),
}  # fmt: skip
OTHERS = ("segmenter.encoder=test_efficientnet", "segmenter.decoder_channels=16")


@pytest.fixture(scope="module")
def masks(tmp_path_factory):
    """Pseudo masks that have an image's first tag on the left."""
    folder = tmp_path_factory.mktemp("masks")
    source = Synthetic(**DATA)
    for item in source.items(TRAIN):
        mask = np.zeros(source.read_image(item).shape[:2], dtype=np.uint8)
        mask[:, : mask.shape[1] // 2] = item.labels[0]
        Image.fromarray(mask).save(folder / f"{item.id}.png")
    return folder


@pytest.mark.parametrize("option", OPTIONS)
def test_a_segmenter_learns_given_masks_and_is_scored(run, masks, tmp_path, option):
    words = (f"segmenter={option}", *DECODERS.get(option, OTHERS))
    outcomes = run(tmp_path, f"refine.masks={masks}", *words, tiny=TINY)
    network, names = load_segmenter(outcomes["segment"].folder)
    assert network.encoder in {"test_efficientnet", "test_vit"}
    assert len(names) == 8
    metrics = json.loads((outcomes["evaluate"].folder / "metrics.json").read_text())
    assert 0 <= metrics["subjects"]["segmenter"]["miou"] <= 1
    assert np.isfinite(outcomes["segment"].manifest.numbers["train_loss"])
