"""From a configuration to objects; what a constructor refuses is told by its setting."""

from dataclasses import replace
from functools import partial
from inspect import signature
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from wsss.errors import Problem, WsssError, user_error
from wsss.models.weights import BACKBONE_SETTING


def build(node: DictConfig) -> Any:
    """What a node's `_target_` makes of its settings.

    Raises:
        WsssError: as the target raised it, out of Hydra's wrapping, or for a value it refused.
    """
    try:
        return instantiate(node, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if not isinstance(cause, WsssError | ValueError):
            raise
        key = _refused_key(node, error)
        if isinstance(cause, WsssError):
            raise WsssError(*(_at_home(problem, key) for problem in cause.problems)) from None
        # Ours are worded "name=value: expected …"; a library's may be anything.
        came, _, expected = str(cause).partition(": expected ")
        expected = expected or "a value that it can have"
        raise user_error(key, came, expected, "Correct the setting.") from error


def _refused_key(node: DictConfig, error: InstantiationException) -> str:
    """The key of the innermost target that failed: that of `${cam}`, not of who refers to it."""
    # Hydra says it in the last line of its message only.
    key = str(error).rpartition("full_key: ")[2]
    found = OmegaConf.select(node._get_root(), key)
    return found._get_full_key(None) if isinstance(found, DictConfig) else key


def _at_home(problem: Problem, key: str) -> Problem:
    """A problem with the weights of a network, by the key of the network.

    The run's backbone is built by a stage, and what is built here is another network.
    """
    own = f"{key}.weights"
    where, remedy = (
        text.replace(BACKBONE_SETTING, own) for text in (problem.where, problem.remedy)
    )
    return replace(problem, where=where, remedy=remedy)


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
