"""The settings of `wsss runs`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from omegaconf import DictConfig

from wsss.errors import WsssError, unknown_word, user_error
from wsss.runs.catalogue import Catalogue, Key
from wsss.settings.requests import compose_request
from wsss.settings.value_types import read

Action = Literal["list", "show", "prune"]
ACTIONS: tuple[Action, ...] = get_args(Action)


@dataclass(frozen=True, slots=True)
class Request:
    """The settings of `configs/runs.yaml`, which has their meaning and their defaults."""

    action: Action
    folders: tuple[Path, ...]
    work_dir: Path
    keep: tuple[str, ...]
    unfinished_days: float
    yes: bool


def configure(words: Sequence[str]) -> DictConfig:
    """The configuration of a request.

    Args:
        words: what to do, settings, also as options, and folders of stages: words without `=`.

    Raises:
        WsssError: names every word that is wrong.
    """
    if not words or words[0] not in ACTIONS:
        came = f"`{words[0]}`" if words else "nothing to do"
        if words and not words[0].startswith("-") and "=" not in words[0]:
            raise unknown_word("wsss runs", "action", words[0], ACTIONS, "Correct it.")
        raise user_error(
            "wsss runs", came, "`list`, `show` or `prune` as the first word",
            "Begin with `wsss runs list`; `wsss runs --help` shows all settings.",
        )  # fmt: skip
    return compose_request("runs", words[1:], Request, "folders", [f"action={words[0]}"])


def request_of(cfg: DictConfig) -> Request:
    """The request of a configuration.

    Raises:
        WsssError: folders are named that the action does not take, or none that it needs.
    """
    request = read(cfg, Request, {})
    if (request.action == "show") != bool(request.folders):
        raise user_error(
            f"wsss runs {request.action}",
            f"a folder: {request.folders[0]}" if request.folders else "no folder",
            "a stage's folder for `show`, none for `list` and `prune`",
            "`wsss runs list` tells the folders; `work_dir=…` is where they are.",
        )  # fmt: skip
    return request


def keys_of(found: Catalogue, where: str, names: Sequence[str]) -> list[Key]:
    """Name and fingerprint of stages that are named by their folders.

    Args:
        found: all stages.
        where: the setting, for messages.
        names: folders; the last two parts count, and a fingerprint may be shortened.

    Raises:
        WsssError: a name is no stage's, or that of several.
    """
    return [_key_of(found, where, name) for name in names]


def _key_of(found: Catalogue, where: str, name: str) -> Key:
    *_, stage, begin = ("", *Path(name).parts)
    matching = [key for key in found.folders if key[1].startswith(begin) and stage in ("", key[0])]
    if len(matching) == 1:
        return matching[0]
    raise _unclear(found, where, name, matching)


def _unclear(found: Catalogue, where: str, name: str, matching: Sequence[Key]) -> WsssError:
    several = ", ".join("/".join(key) for key in matching[:4])
    return user_error(
        f"{where}={name}",
        f"{len(matching)} stages: {several}" if matching else f"no such stage in {found.work_dir}",
        "the folder of one stage, such as `report/3f0c…`",
        "`wsss runs list` tells all of them.",
    )
