"""The settings of `wsss audit`."""

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
    """The settings of `configs/audit.yaml`, which has their meaning and their defaults."""

    run: tuple[Path, ...]
    output: Path | None
    folds: Annotated[int, Field(ge=2, le=20)]
    seed: Annotated[int, Field(ge=0)]
    workers: Annotated[int, Field(ge=0)] | None
    device: str | None
    data: dict[str, Any] | None = None

    @property
    def folder(self) -> Path:
        """The run's, or a stage's."""
        return self.run[0]


def configure(words: Sequence[str]) -> DictConfig:
    """The configuration of a request.

    Args:
        words: settings, also as options, and a folder: a word without `=`.

    Raises:
        WsssError: names every word that is wrong.
    """
    return compose_request("audit", words, Request, "run")


def request_of(cfg: DictConfig) -> Request:
    """The request of a configuration.

    Raises:
        WsssError: not one run is named.
    """
    request = read(cfg, Request, {})
    if len(request.run) != 1:
        raise user_error(
            "wsss audit", f"{len(request.run)} folders", "one run",
            "Name its logs, or one of its stages: `wsss audit runs/logs/…`.",
        )  # fmt: skip
    return request
