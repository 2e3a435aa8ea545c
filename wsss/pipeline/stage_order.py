"""Which stages a run has, and in which order."""

from collections.abc import Callable, Container, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from wsss.errors import user_error
from wsss.stages import CHAIN, GOALS

OWN = "wsss.stages."


def stage_module(stage: str, settings: Mapping[str, Any] | None = None) -> ModuleType:
    """The module of a stage: its `run`, `check` and constants.

    Args:
        stage: its name.
        settings: of the stage; where they name the `run` of another module of `wsss.stages`, such
            as that of given results, it is that one.
    """
    return import_module(_module_name(stage, settings or {}))


def is_given(stage: str, settings: Mapping[str, Any]) -> bool:
    """Whether the user gives a stage's results: its settings name such a module of `stages`."""
    return _module_name(stage, settings) == f"{OWN}{stage}_given"


def _module_name(stage: str, settings: Mapping[str, Any]) -> str:
    named = str(settings.get("_target_", "")).rpartition(".")[0]
    return named if named.startswith(OWN) else f"{OWN}{stage}"


def inputs_of(module: ModuleType, settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The stages whose results a stage takes, with these settings.

    Args:
        module: of the stage; its `INPUTS`, without those for which its `SWITCHES` name a setting
            that is 0.
        settings: of the stage.
    """
    switches: Mapping[str, str] = getattr(module, "SWITCHES", {})
    return tuple(one for one in module.INPUTS if one not in switches or settings.get(switches[one]))


def in_use(module: ModuleType, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a stage that have an effect: what others switch off is left out.

    Args:
        module: of the stage; where it has an `in_use`, that decides.
        settings: of the stage.
    """
    decide: Callable[[Mapping[str, Any]], dict[str, Any]] = getattr(module, "in_use", dict)
    return decide(settings)


def needed(configs: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """The stages of a run, in the chain's order: all that have settings.

    Where results are given, they are the run's goals and what these are made of: the stages that
    would have led to given seeds or masks are left out. Stages that read masks look at what there
    is: nothing is computed for them alone, but for what a setting of theirs switches on.

    Args:
        configs: settings by stage.
    """
    if not any(is_given(stage, settings) for stage, settings in configs.items()):
        return tuple(stage for stage in CHAIN if stage in configs)
    kept: list[str] = []
    taken: set[str] = set()
    for stage in reversed(CHAIN):
        if stage in configs and (stage in GOALS or stage in taken):
            module = stage_module(stage, configs[stage])
            kept.append(stage)
            switched_on = getattr(module, "SWITCHES", {})
            inputs = inputs_of(module, configs[stage])
            taken |= {one for one in inputs if not module.READS_MASKS or one in switched_on}
    return tuple(reversed(kept))


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
            "a stage that this run's methods and settings do not need",
            "a method or setting that needs it",
            "Choose one: `cam=recam` switches `reactivate` on, `cam=meng` `oppose`, "
            "`refine=affinity` both `affinity` and `propagate`, `refine=probe_crf` `probe`, "
            "`refine=sam_votes` `propose`, "
            "`bound=true` the bounds, of which `oracle_bound` alone is left where both schedules "
            "are the same; given seeds or masks switch off what leads to them.",
        )
    return chosen
