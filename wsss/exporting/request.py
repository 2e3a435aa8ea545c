"""The settings of `wsss export`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from omegaconf import DictConfig

from wsss.errors import user_error
from wsss.settings.requests import compose_request
from wsss.settings.value_types import read

Format = Literal["safetensors", "onnx", "torch_export", "voc", "coco", "irn"]


@dataclass(frozen=True, slots=True)
class Request:
    """The settings of `configs/export.yaml`, which has their meaning and their defaults."""

    folders: tuple[Path, ...]
    formats: tuple[Format, ...]
    classifier: bool
    output: Path | None
    name: str | None
    license: str | None
    example: str | None
    data: dict[str, Any] | None = None

    @property
    def folder(self) -> Path:
        """The stage's folder."""
        return self.folders[0]


def configure(words: Sequence[str]) -> DictConfig:
    """The configuration of a request.

    Args:
        words: settings, also as options, and the folder of a stage: a word without `=`.

    Raises:
        WsssError: names every word that is wrong.
    """
    return compose_request("export", words, Request, "folders")


def request_of(cfg: DictConfig) -> Request:
    """The request of a configuration.

    Raises:
        WsssError: no stage is named, or several are.
    """
    request = read(cfg, Request, {})
    if len(request.folders) != 1:
        count = len(request.folders)
        raise user_error(
            "wsss export", f"{count} folders" if count else "no folder", "one finished stage",
            "Name one: `wsss export runs/segment/…`; earlier stages are found by themselves.",
        )  # fmt: skip
    if request.example is not None and request.data is None:
        raise user_error(
            f"example={request.example}", "an image without its data set", "`data=…` beside it",
            "Add the data settings of the run, such as `data=folder data.root=my_images`.",
        )  # fmt: skip
    return request
