"""The settings of `wsss explain`, in the grammar of `wsss run`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import zip_longest
from pathlib import Path
from typing import Annotated

from omegaconf import DictConfig
from pydantic import Field, PositiveInt

from wsss.errors import Problem, WsssError, user_error
from wsss.explain.method_catalogue import GROUP, method_names
from wsss.settings.compose import compose
from wsss.settings.config_dir import config_dir
from wsss.settings.value_types import read
from wsss.wording import readable


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


SEVERAL = ("classes", "scales")
"""Settings that take several values, between commas."""
FLAGS = ("flip", "scores")
"""Settings that are on or off."""
USAGE = "wsss explain IMAGE … key=value …"
PACKAGED = "timm:tf_efficientnet_lite0"
"""The network whose weights are installed with this package."""


def configure(words: Sequence[str]) -> tuple[DictConfig, list[str]]:
    """The configuration of a request, and the words with options of methods.

    Args:
        words: settings, and images: files, and words without `=`.

    Raises:
        WsssError: names every word that is wrong.
    """
    if wrong := [*_not_utf8(words), *_former_options(words), *_without_value(words)]:
        raise WsssError(*wrong)
    images = [word for word in words if "=" not in word or Path(word).is_file()]
    known, methods = method_names(config_dir()), [GROUP]
    settings: list[str] = []
    options: list[str] = []
    for word in words:
        key, _, value = word.lstrip("+~").partition("=")
        if word in images:
            continue
        if key == GROUP:
            methods = value.strip("[]").split(",")
        elif "." in key and key.partition(".")[0] in known:
            options.append(word)
        elif key in SEVERAL and not value.startswith("["):
            settings.append(f"{key}=[{value}]")
        else:
            settings.append(word)
    cfg = compose("explain", settings, Request)
    cfg.images, cfg.cam = images, methods
    return cfg, options


def request_of(cfg: DictConfig) -> Request:
    """The request of a configuration.

    Raises:
        WsssError: a setting is missing, or contradicts another.
    """
    request = read(cfg, Request, {})
    if not request.images:
        raise user_error(
            "wsss explain", "no image", USAGE,
            "Name image files: `wsss explain cat.jpg …`; `wsss explain --help` has examples.",
        )  # fmt: skip
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


def _not_utf8(words: Sequence[str]) -> Iterator[Problem]:
    """Problems of names with bytes that are no text, which a description cannot hold."""
    for word in words:
        if (shown := readable(word)) != word:
            came = "bytes that are not UTF-8"
            yield Problem(shown, came, "names in UTF-8", "Rename the file or folder.")


def _former_options(words: Sequence[str]) -> Iterator[Problem]:
    """Problems of command-line options, which have become settings."""
    for word, following in zip_longest(words, words[1:], fillvalue=""):
        if not word.startswith("-"):
            continue
        name, _, value = word.lstrip("-").partition("=")
        value = value or following
        if name == "set":
            method, _, option = value.rpartition(":")
            setting = f"{method or GROUP}.{option}"
        else:
            setting = f"{GROUP if name == 'method' else name}={'true' if name in FLAGS else value}"
        remedy = f"Write `{setting}`; `wsss explain --help` shows all settings."
        yield Problem(word, "there is no such option", "settings, as `key=value`", remedy)


def _without_value(words: Sequence[str]) -> Iterator[Problem]:
    """Problems of words that are the name of a setting, and no file."""
    names = [one.name for one in fields(Request) if one.name != "images"]
    for word in words:
        if word in names and not Path(word).exists():
            value = "true" if word in FLAGS else "…"
            yield Problem(
                word,
                "the name of a setting without a value, and no image of that name",
                f"`{word}={value}`",
                "Add the value; `wsss explain --help` shows all settings.",
            )
