"""Every word of `configs/backbone/`, with networks of few layers and random weights."""

from typing import Any

import pytest
import timm

from wsss.settings.config_dir import config_dir

NAMES = {
    "timm_vit": "eva02_tiny_patch14_224",
    "timm_convnet": "regnety_002",
}
"""Networks of the words that name none."""
WORDS = sorted(path.stem for path in (config_dir() / "backbone").glob("*.yaml"))


def make_shallow(patch: pytest.MonkeyPatch) -> None:
    """Two layers a transformer and a block a stage of a ConvNeXt, of their own widths."""
    create = timm.create_model

    def created(name: str, **options: Any) -> Any:
        depth: dict[str, Any] = {"depth": 2} if "_patch" in name else {}
        depth = {"depths": (1, 1, 1, 1)} if name.startswith("convnext") else depth
        return create(name, **{**depth, **options})

    patch.setattr(timm, "create_model", created)


def words(word: str) -> list[str]:
    """Settings of a run with a backbone, without weights, and a segmenter that fits any."""
    named = [f"backbone.name={NAMES[word]}"] if word in NAMES else []
    return [f"backbone={word}", "backbone.weights=null", "segmenter=deeplabv3plus_lite0", *named]
