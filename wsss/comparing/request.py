"""The settings of `wsss compare`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from omegaconf import DictConfig
from pydantic import Field

from wsss.errors import user_error
from wsss.settings.requests import compose_request
from wsss.settings.value_types import read


@dataclass(frozen=True, slots=True)
class Request:
    """The settings of `configs/compare.yaml`, which has their meaning and their defaults."""

    folders: tuple[Path, ...]
    output: Path
    title: str | None
    images: Annotated[int, Field(ge=0)]
    panel_height_px: Annotated[int, Field(ge=16, le=2000)]
    resamples: Annotated[int, Field(ge=0, le=1_000_000)]
    data: dict[str, Any] | None = None


def configure(words: Sequence[str]) -> DictConfig:
    """The configuration of a request.

    Args:
        words: settings, also as options, and folders: words without `=`.

    Raises:
        WsssError: names every word that is wrong.
    """
    return compose_request("compare", words, Request, "folders")


def request_of(cfg: DictConfig) -> Request:
    """The request of a configuration.

    Raises:
        WsssError: nothing is named.
    """
    request = read(cfg, Request, {})
    if not request.folders:
        raise user_error(
            "wsss compare", "no folder", "logs of sweeps or runs, or finished stages",
            "Name some: `wsss compare runs/logs/…`.",
        )  # fmt: skip
    return request
