"""A classifier in a folder, pictures, and the command in this process."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from wsss.models import SplitClassifier, TimmBackbone
from wsss.models.saved_networks import save_classifier

NAMES = ("cat", "dog", "sofa")


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an exported classifier of three classes, with ImageNet features."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("classify")
    backbone = TimmBackbone("tf_efficientnet_lite0", "package")
    save_classifier(folder, SplitClassifier.linear(backbone, len(NAMES)), NAMES)
    return folder


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., Path]:
    """Write a picture with a red block: `picture("a.png")`."""

    def write(name: str, height: int = 60, width: int = 80) -> Path:
        image = np.full((height, width, 3), 90, dtype=np.uint8)
        image[height // 4 : height // 2, width // 4 : width // 2] = (200, 60, 30)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
        return path

    return write


@pytest.fixture
def explain(
    call_command: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[int, str]]:
    """Call `wsss explain` in an empty folder: its exit status, and all it said, on one line."""

    def call(*words: object) -> tuple[int, str]:
        (tmp_path / "here").mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / "here")
        return call_command("explain", *words)

    return call
