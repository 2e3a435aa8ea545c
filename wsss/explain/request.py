"""The settings of `wsss explain`, in the grammar of `wsss run`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from omegaconf import DictConfig
from pydantic import Field, NonNegativeInt, PositiveInt

from wsss.errors import Problem, WsssError, user_error
from wsss.explain.method_catalogue import GROUP, method_names
from wsss.explain.modes import check_modes, compared_methods, compared_words
from wsss.settings.compose import compose
from wsss.settings.config_dir import config_dir
from wsss.settings.value_types import read
from wsss.settings.words import files_and_settings


@dataclass(frozen=True, slots=True)
class Request:
    """The settings of `configs/explain.yaml`, which has their meaning and their defaults."""

    images: tuple[Path, ...]
    cam: Annotated[tuple[str, ...], Field(min_length=1)]
    checkpoint: Path | None
    model: str | None
    weights: str | None
    classes: Annotated[tuple[str | int, ...], Field(min_length=1)]
    scales: Annotated[tuple[Annotated[float, Field(gt=0, le=8)], ...], Field(min_length=1)]
    flip: bool
    size: PositiveInt | None
    output: Path | None
    scores: bool
    device: str | None
    compare: tuple[str, ...]
    segmenter: Path | None
    region: tuple[NonNegativeInt, ...]
    layer: str
    sanity: bool
    seed: NonNegativeInt
    summary: Path | None = None
    by: Literal["tags", "masks"] = "tags"
    data: dict[str, Any] | None = None


SEGMENTER = "segmenter"
"""Also a group of a run's settings, whose options are networks: here it names a folder."""
USAGE = "wsss explain IMAGE … key=value …"
PACKAGED = "timm:tf_efficientnet_lite0"
"""The network whose weights are installed with this package."""


def configure(words: Sequence[str]) -> tuple[DictConfig, list[str]]:
    """The configuration of a request, and the words with options of methods.

    Args:
        words: settings, also as options, and images: files, and words without `=`.

    Raises:
        WsssError: names every word that is wrong.
    """
    compared, words = compared_words(words)
    images, written = files_and_settings(words, Request, "images", "explain")
    known, methods = method_names(config_dir()), [GROUP]
    settings: list[str] = []
    options: list[str] = []
    segmenter: str | None = None
    for word in written:
        key, _, value = word.lstrip("+~").partition("=")
        if key == GROUP:
            methods = value.strip("[]").split(",")
        elif key == SEGMENTER:
            segmenter = value
        elif "." in key and key.partition(".")[0] in known:
            options.append(word)
        else:
            settings.append(word)
    cfg = compose("explain", settings, Request)
    if both := compared_methods(compared, known):
        if any(word.startswith(f"{GROUP}=") for word in written):
            raise user_error(
                f"{GROUP}={','.join(methods)}", "methods that are named twice",
                "`compare=…` alone, which names both", f"Leave `{GROUP}` out.",
            )  # fmt: skip
        methods = both
    cfg.images, cfg.cam = images, methods
    cfg.compare, cfg.segmenter = compared, segmenter
    return cfg, options


def request_of(cfg: DictConfig) -> Request:
    """The request of a configuration.

    Raises:
        WsssError: a setting is missing, or contradicts another.
    """
    request = read(cfg, Request, {})
    if request.summary is not None:
        _check_summary(cfg)
        return request
    if not request.images:
        raise user_error(
            "wsss explain", "no image", USAGE,
            "Name image files: `wsss explain cat.jpg …`; `wsss explain --help` has examples.",
        )  # fmt: skip
    if not check_modes(request, method_names(config_dir())):
        return request
    if (request.checkpoint is None) == (request.model is None):
        raise user_error(
            "wsss explain",
            "no classifier" if request.model is None else "both a checkpoint and a model",
            "one of `checkpoint=FOLDER` and `model=LIBRARY:NAME`",
            "Write `checkpoint=runs/classify/…` for a classifier of yours, or "
            "`model=timm:tf_efficientnet_lite0 weights=package` for an ImageNet network.",
        )
    if request.model is not None and ":" not in request.model:
        raise user_error(
            f"model={request.model}", "the name of a network without that of its library",
            f"`timm:{request.model}` or `torchvision:{request.model}`",
            f"Write both: `model=timm:{request.model}`.",
        )  # fmt: skip
    if request.model is not None and request.weights is None:
        packaged = "`weights=package`, or " if request.model == PACKAGED else ""
        raise user_error(
            f"model={request.model}", "a network without weights", "`weights=…` beside it",
            f"Add {packaged}`weights=FILE`, or `weights=hub` to download them: a network that was "
            "never trained explains nothing.",
        )  # fmt: skip
    if request.model is None and request.weights is not None:
        raise user_error(
            f"weights={request.weights}", "weights without a model", "`model=LIBRARY:NAME`",
            "Leave weights out: a checkpoint has its own.",
        )  # fmt: skip
    return request


OF_SUMMARY = ("summary", "by", "data", "output", "device")
"""The settings that a summary takes."""


def _check_summary(cfg: DictConfig) -> None:
    """Refuse what a summary does not take: its run tells which images, classifier and method.

    Raises:
        WsssError: names each setting.
    """
    usual = compose("explain", [], Request)
    others = [str(key) for key in cfg if key not in OF_SUMMARY and cfg[key] != usual[key]]
    if others:
        raise WsssError(
            *(
                Problem(
                    f"{key}={cfg[key]}", "a setting that `summary=…` does not take",
                    ", ".join(f"`{one}`" for one in OF_SUMMARY), "Leave it out: the run tells it.",
                )
                for key in others
            )
        )  # fmt: skip
