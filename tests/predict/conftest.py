"""A segmenter in a folder, pictures, and the command in this process."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from wsss.models import Segmenter, SplitClassifier, TimmBackbone
from wsss.models.saved_networks import save_classifier, save_segmenter

NAMES = ("cat", "dog", "sofa")


def made(folder: Path, names: tuple[str, ...]) -> Path:
    """Export a segmenter whose head is random, and gives every class some pixels."""
    torch.manual_seed(0)
    model = Segmenter(
        "DeepLabV3Plus", "tf_efficientnet_lite0", "package", len(names), decoder_channels=16
    )
    with torch.no_grad():
        model.network.segmentation_head[0].weight.mul_(20)
    save_segmenter(folder, model, names)
    return folder


@pytest.fixture(scope="session")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an exported segmenter of three classes, with ImageNet features."""
    return made(tmp_path_factory.mktemp("segment"), NAMES)


@pytest.fixture(scope="session")
def make_segmenter() -> Callable[[Path, tuple[str, ...]], Path]:
    """Export a segmenter of other classes: `make_segmenter(folder, names)`."""
    return made


@pytest.fixture(scope="session")
def make_classifier() -> Callable[[Path, int], Path]:
    """Export a classifier of the same classes, with a random head: `make_classifier(folder, 0)`."""

    def make(folder: Path, seed: int) -> Path:
        torch.manual_seed(seed)
        backbone = TimmBackbone("tf_efficientnet_lite0", "package")
        save_classifier(folder, SplitClassifier.linear(backbone, len(NAMES)), NAMES)
        return folder

    return make


@pytest.fixture(scope="session")
def classifier(
    tmp_path_factory: pytest.TempPathFactory, make_classifier: Callable[[Path, int], Path]
) -> Path:
    """Folder of an exported classifier of the same classes."""
    return make_classifier(tmp_path_factory.mktemp("classify"), 0)


@pytest.fixture
def picture(here: Path) -> Callable[..., Path]:
    """Write a picture of coarse random colours: `picture("a.png", 48, 64)`."""

    def write(name: str, height: int = 48, width: int = 64) -> Path:
        rng = np.random.default_rng([height, width, *name.encode()])
        coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR).save(path)
        return path

    return write


@pytest.fixture
def predict(
    call_command: Callable[..., tuple[int, str]], here: Path, segmenter: Path
) -> Callable[..., tuple[int, str]]:
    """Call `wsss predict` with the segmenter: its exit status, and all it said, on one line."""

    def call(*words: object) -> tuple[int, str]:
        given = [str(word) for word in words]
        if not any("segmenter" in word for word in given):
            given.append(f"segmenter={segmenter}")
        if not any("workers" in word for word in given):
            given.append("workers=0")
        return call_command("predict", *given)

    return call
