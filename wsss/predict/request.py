"""The settings of `wsss predict`, in the grammar of `wsss run`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from omegaconf import DictConfig
from pydantic import Field, NonNegativeInt, PositiveInt

from wsss.errors import user_error
from wsss.settings.compose import compose
from wsss.settings.value_types import read
from wsss.settings.words import files_and_settings

SEGMENTER = "segmenter="
"""Also a group of a run's settings, whose options are networks: here it names a folder."""


@dataclass(frozen=True, slots=True)
class Request:
    """The settings of `configs/predict.yaml`, which has their meaning and their defaults."""

    images: tuple[str, ...]
    segmenter: Path | None
    scales: Annotated[tuple[Annotated[float, Field(gt=0, le=8)], ...], Field(min_length=1)]
    flip: bool
    crf: bool
    max_side_px: PositiveInt
    multiple_px: PositiveInt | None
    tile_above_megapixels: Annotated[float, Field(ge=0)] | None
    tile_px: Annotated[int, Field(ge=64)]
    overlap_px: NonNegativeInt
    tiles_at_once: PositiveInt
    max_megapixels: Annotated[float, Field(gt=0)]
    output: Path | None
    overlays: bool
    probabilities: bool
    coco: bool
    voc_submission: bool
    voc_competition: Literal["comp5", "comp6"]
    classifier: Path | None
    tag_threshold: Annotated[float, Field(ge=0, le=1)]
    explanations: tuple[str, ...]
    device: str | None
    batch_size: PositiveInt
    workers: NonNegativeInt | None


def configure(words: Sequence[str]) -> DictConfig:
    """The configuration of a request.

    Args:
        words: settings, also as options, and images: files, folders, patterns, lists.

    Raises:
        WsssError: names every word that is wrong.
    """
    images, settings = files_and_settings(words, Request, "images", "predict")
    folders = [word for word in settings if word.startswith(SEGMENTER)]
    cfg = compose("predict", [word for word in settings if word not in folders], Request)
    cfg.images = images
    for word in folders:
        cfg.segmenter = word.removeprefix(SEGMENTER)
    return cfg


def request_of(cfg: DictConfig) -> Request:
    """The request of a configuration.

    Raises:
        WsssError: a setting is missing, or contradicts another.
    """
    request = read(cfg, Request, {})
    usage = "wsss predict IMAGE … --segmenter runs/segment/…"
    if not request.images:
        raise user_error(
            "wsss predict", "no image", usage,
            "Name images or folders: `wsss predict photos/ …`; `wsss predict --help` has examples.",
        )  # fmt: skip
    if request.segmenter is None:
        raise user_error(
            "wsss predict", "no segmenter", usage,
            "Name the folder of a finished `segment` stage; `wsss run` prints it.",
        )  # fmt: skip
    if request.tile_px > request.max_side_px:
        raise user_error(
            f"tile_px={request.tile_px}", "tiles whose sides would be reduced to max_side_px",
            f"at most max_side_px={request.max_side_px}", "Raise max_side_px to it, or lower it.",
        )  # fmt: skip
    if request.overlap_px >= request.tile_px:
        raise user_error(
            f"overlap_px={request.overlap_px}", "tiles that are nothing but overlap",
            f"less than tile_px={request.tile_px}", "Lower it: a quarter of a tile is usual.",
        )  # fmt: skip
    return request
