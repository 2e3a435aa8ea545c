"""Objects from a configuration; a library's errors are told by the setting."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from inspect import signature
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig

from wsss.errors import LibraryError, WsssError, user_error
from wsss.settings.remedies import FOR_RUN, Remedies, told


def build(node: DictConfig, remedies: Remedies = FOR_RUN) -> Any:
    """Instantiate a node's `_target_` with its settings.

    Args:
        node: of a configuration.
        remedies: in the words of the command that the configuration is for.

    Raises:
        WsssError: the target refused its settings.
    """
    try:
        return instantiate(node, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        abstract = isinstance(cause, TypeError) and "abstract class" in str(cause)
        if not isinstance(cause, WsssError | ValueError) and not abstract:
            raise
        # Hydra names the node only in the last line of its message.
        _, has_place, place = str(error).rpartition("full_key: ")
        place = place if has_place else ""
        if isinstance(cause, LibraryError):
            setting = key_of(node._get_root(), f"{place}.{cause.option}".rstrip("."))
            raise WsssError(told(cause, setting, remedies)) from None
        if isinstance(cause, WsssError):
            raise cause from None
        setting, expected = key_of(node._get_root(), place), "values that it can have"
        if abstract:
            remedy = "Define what is missing in the class."
            raise user_error(setting, str(cause), "a whole class", remedy) from error
        raise user_error(setting, str(cause), expected, "Correct its settings.") from error


@contextmanager
def told_by_setting(
    cfg: DictConfig, owner: str = "", remedies: Remedies = FOR_RUN
) -> Iterator[None]:
    """Turn library errors in the block into errors of the user's settings.

    Args:
        cfg: the configuration.
        owner: key of the arguments' node, such as a stage; arguments that it lacks, such as
            `classify.backbone`, are looked up in `cfg`.
        remedies: in the words of the command that the configuration is for.

    Raises:
        WsssError: instead of a library's error.
    """
    try:
        yield
    except LibraryError as error:
        first = error.option.partition(".")[0]
        scope = "" if first in cfg and first not in cfg.get(owner, ()) else owner
        path = ".".join(filter(None, (scope, error.option)))
        raise WsssError(told(error, key_of(cfg, path), remedies)) from error


def key_of(root: Any, path: str) -> str:
    """The key where a value is defined, with interpolations `${…}` followed.

    Args:
        root: a configuration.
        path: a key, whose last parts may be missing from the configuration.
    """
    node, names = root, path.split(".")
    for position, name in enumerate(names):
        if not isinstance(node, DictConfig) or name not in node.keys():  # noqa: SIM118 (missing)
            return ".".join(filter(None, (node._get_full_key(None), *names[position:])))
        found: Any = node._get_node(name)
        node = found._dereference_node() if found._is_interpolation() else found
    return str(node._get_full_key(None))


def build_stage(cfg: DictConfig, stage: str) -> "partial[dict[str, float]]":
    """A stage's function with its settings bound, waiting for a context.

    Raises:
        WsssError: a setting is none of the stage's.
    """
    run: partial[dict[str, float]] = build(cfg[stage])
    known = signature(run.func).parameters
    if unknown := [name for name in run.keywords if name not in known]:
        raise user_error(
            f"{stage}.{unknown[0]}",
            f"`{stage}` has no such setting",
            f"one of {', '.join(list(known)[1:])}",
            "Correct or remove it.",
        )
    return run
