"""The options of methods: their configurations, and what `--set` changes in them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig

from wsss.errors import Problem, WsssError, unknown_word, user_error
from wsss.explain.catalogue import GROUP
from wsss.explain.request import Setting
from wsss.settings.overrides import setting_names, wrong_kinds


def configure(
    config_dir: Path, methods: Iterable[str], settings: Iterable[Setting]
) -> dict[str, DictConfig]:
    """The configuration of a run with each of the methods, their options set.

    Raises:
        WsssError: a setting is of no method, or its value cannot be read or is of another kind.
    """
    names, own = list(methods), list(settings)
    defaults = _compose(config_dir, dict.fromkeys(names, ()))
    # Which class it is makes the method, and is none of its options.
    known = {
        name: {one for one in setting_names(config[GROUP]) if not one.endswith("_target_")}
        for name, config in defaults.items()
    }
    problems: list[Problem] = []
    overrides: dict[str, list[str]] = {name: [] for name in names}
    for setting in own:
        if setting.method is not None and setting.method not in names:
            raise unknown_word(
                f"--set {setting}", "method in --method called", setting.method, names,
                "Add it to --method, or correct the name.",
            )  # fmt: skip
        asked = names if setting.method is None else [setting.method]
        having = [name for name in asked if setting.key in known[name]]
        if not having:
            raise _no_option(setting, asked, sorted(set().union(*(known[name] for name in asked))))
        for name in having:
            word = f"{GROUP}.{setting.key}={setting.value}"
            overrides[name].append(word)
            problems += [
                replace(problem, where=f"--set {setting}")
                for problem in wrong_kinds(defaults[name], word)
            ]
    if problems:
        raise WsssError(*dict.fromkeys(problems))
    try:
        return _compose(config_dir, overrides)
    except HydraException as error:
        raise user_error(
            "--set " + " --set ".join(map(str, own)),
            str(error).splitlines()[0],
            "a value as in a configuration: `3`, `true`, `name`, `[a,b]`",
            "Quote what is special to Hydra: `--set 'key=\"a b\"'`.",
        ) from error


def _no_option(setting: Setting, methods: Iterable[str], options: Sequence[str]) -> WsssError:
    """The answer to a setting that none of the methods it is for has."""
    where, named = f"--set {setting}", ", ".join(methods)
    if options:
        remedy = "Correct the name; `configs/cam/` describes the options."
        return unknown_word(where, f"option of {named} called", setting.key, options, remedy)
    return user_error(
        where, f"an option of {named}", "none: there are no options", "Leave it out."
    )  # fmt: skip


def _compose(config_dir: Path, overrides: Mapping[str, Iterable[str]]) -> dict[str, DictConfig]:
    """The configuration of a run with each method and its overrides."""
    with initialize_config_dir(str(config_dir), version_base="1.3"):
        return {
            name: compose("run", overrides=[f"{GROUP}={name}", *own])
            for name, own in overrides.items()
        }
