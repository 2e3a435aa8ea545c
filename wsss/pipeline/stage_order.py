"""Which stages a run has, and in which order."""

from collections.abc import Container, Sequence
from importlib import import_module
from types import ModuleType

from wsss.errors import user_error
from wsss.stages import CHAIN


def stage_module(stage: str) -> ModuleType:
    """The module of a stage: its `run`, `check` and constants."""
    return import_module(f"wsss.stages.{stage}")


def select(
    stages: Sequence[str] | None = None, configured: Container[str] = CHAIN
) -> tuple[str, ...]:
    """The chosen stages in the chain's order; those that the run has no settings for are left out.

    Args:
        stages: names of stages; all of them if None.
        configured: the stages that the run has settings for.

    Raises:
        WsssError: a name is no stage, or no chosen stage is part of the run.
    """
    if stages is None:
        stages = CHAIN
    if unknown := [stage for stage in stages if stage not in CHAIN]:
        raise user_error(
            "stages",
            f"no stage is called {', '.join(map(repr, unknown))}",
            f"some of {', '.join(CHAIN)}",
            "Write them as `stages=[localize,refine]`.",
        )
    chosen = tuple(stage for stage in CHAIN if stage in stages and stage in configured)
    if stages and not chosen:
        raise user_error(
            f"stages=[{','.join(stages)}]",
            "a stage that this run's methods do not need",
            "a method that needs it",
            "Choose one: `cam=recam` switches `reactivate` on, `cam=meng` `oppose`, "
            "`refine=affinity` both `affinity` and `propagate`.",
        )
    return chosen
