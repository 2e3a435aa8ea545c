"""Launchers and sweepers of Hydra, which are optional extras."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import Override

from wsss.errors import Problem
from wsss.settings.overrides import LAUNCHER, SWEEPER

EXTRAS = {
    (LAUNCHER, "joblib"): ("hydra_plugins.hydra_joblib_launcher", "joblib"),
    (LAUNCHER, "ray"): ("hydra_plugins.hydra_ray_launcher", "ray"),
    (LAUNCHER, "submitit_local"): ("hydra_plugins.hydra_submitit_launcher", "submitit"),
    (LAUNCHER, "submitit_slurm"): ("hydra_plugins.hydra_submitit_launcher", "submitit"),
    (SWEEPER, "optuna"): ("optuna", "optuna"),
}
"""Choices with the module that they need, and the extra that has it."""


def use_own_settings() -> None:
    """Let the files of `configs/hydra/` stand for launchers, and not the settings of plugins.

    Hydra would merge those of the same name, and warn of it with every run of a sweep.
    """
    groups = ConfigStore.instance().repo.get("hydra", {})
    for group, name in EXTRAS:
        groups.get(group.removeprefix("hydra/"), {}).pop(f"{name}.yaml", None)


def not_installed(overrides: Sequence[Override]) -> Iterator[Problem]:
    """Problems of choices whose library is not there."""
    for one in overrides:
        choice = (one.key_or_group, str(one.value()))
        if choice in EXTRAS and not is_installed(EXTRAS[choice][0]):
            _, extra = EXTRAS[choice]
            yield Problem(
                "=".join(choice), "its library is not installed", f"the extra `{extra}`",
                f"Install it: pip install 'wsss[{extra}]'",
            )  # fmt: skip


def is_installed(module: str) -> bool:
    """Whether a module can be imported."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # Of the package it is in.
        return False
