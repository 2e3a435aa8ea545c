"""A checked configuration from words `key=value`; all mistakes are told at once."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

import hydra
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from wsss.errors import Problem, WsssError, unknown_word
from wsss.settings.config_dir import config_dir
from wsss.settings.launchers import not_installed, use_own_settings
from wsss.settings.method_words import spell_out
from wsss.settings.network_strides import fill_in_stride
from wsss.settings.overrides import group_names, is_group, option_names, parse, runs_of_sweep

TARGET = "._target_"
"""End of the key of a class."""


def compose(
    config_name: str, words: Sequence[str], schema: type | None = None, complete: bool = True
) -> DictConfig:
    """A primary configuration file with the overrides of words.

    Args:
        config_name: the file's name: `run` or `explain`.
        words: settings and choices, as on the command line: `data=folder`, `seed=1`.
        schema: dataclass of its settings; None is a run's.
        complete: whether every setting must have a value.

    Raises:
        WsssError: names every unknown setting or option with the nearest known one, else every
            value of the wrong type, else every setting without a value.
    """
    overrides = parse(words)
    with hydra.initialize_config_dir(str(config_dir()), version_base="1.3"):
        use_own_settings()
        try:
            cfg = hydra.compose(config_name, [str(one.input_line) for one in overrides])
        except (HydraException, OmegaConfBaseException, ValueError) as error:
            reason = str(error).splitlines()[0]
            expected = "settings that go together"
            general = Problem(" ".join(words), reason, expected, "Correct or remove one.")
            raise WsssError(*([*_unknown(config_name, overrides)] or [general])) from error
        spell_out(cfg)
        fill_in_stride(cfg)
        problems = _with_examples([*_wrong_values(cfg, overrides, schema)], config_name, overrides)
    if problems or (complete and (problems := [*_without_value(cfg)])):
        raise WsssError(*problems)
    return cfg


def compose_sweep(
    config_name: str, words: Sequence[str], complete: bool = True
) -> list[DictConfig]:
    """The configuration of every run of a sweep.

    Raises:
        WsssError: tells every problem once, and which of the runs have it.
    """
    overrides = parse(words)
    if missing := [*not_installed(overrides)]:
        raise WsssError(*missing)
    runs, composed = runs_of_sweep(overrides), []
    found: dict[Problem, list[list[str]]] = {}
    for run, own in runs:
        try:
            composed.append(compose(config_name, run, complete=complete))
        except WsssError as error:
            for problem in error.problems:
                found.setdefault(problem, []).append(own)
    if found:
        raise WsssError(*(_in_runs(problem, of, len(runs)) for problem, of in found.items()))
    return composed


def _in_runs(problem: Problem, of: Sequence[Sequence[str]], total: int) -> Problem:
    """The problem, with the runs of the sweep that have it, unless all do."""
    if len(of) == total:
        return problem
    such = f"{len(of)} of {total} runs, such as `{' '.join(of[0])}`"
    return replace(problem, came=f"{problem.came} (in {such})")


def _with_examples(
    problems: Sequence[Problem], config_name: str, overrides: Sequence[Override]
) -> list[Problem]:
    """The problems; where a value stands for several settings, with one of these as it is usual."""
    if not problems:
        return []
    from wsss.settings.value_types import OBJECT

    found = []
    for one in problems:
        if OBJECT in one.expected:
            choices = [str(choice.input_line) for choice in _choices(overrides)]
            key = one.where.partition("=")[0].lstrip("~+")
            node = OmegaConf.select(hydra.compose(config_name, choices), key)
            if example := _example(key, node):
                expected = one.expected.replace(OBJECT, f"{OBJECT}, such as `{example}`")
                remedy = f"Set one of those; `wsss {config_name} --cfg job` shows them."
                one = replace(one, expected=expected, remedy=remedy)
        found.append(one)
    return found


def _example(key: str, node: object) -> str | None:
    """The first plain setting of a node, as a word of the command line; None if there is none."""
    for name, value in node.items() if isinstance(node, DictConfig) else ():
        if not str(name).startswith("_") and isinstance(value, bool | float | int | ListConfig):
            return f"{key}.{name!s}={json.dumps(value, default=list, separators=(',', ':'))}"
    return None


def _choices(overrides: Sequence[Override]) -> list[Override]:
    """The overrides that choose an option of a group."""
    return [one for one in overrides if is_group(one.key_or_group)]


def _unknown(config_name: str, overrides: Sequence[Override]) -> Iterator[Problem]:
    """Unknown options and unexpected lists of values, else unknown settings."""
    wrong = False
    choices = _choices(overrides)
    for one in overrides:
        word, key, chosen = str(one.input_line), one.key_or_group, one.value()
        if one.is_sweep_override():
            wrong = True
            expected = f"one value, or `[{word.partition('=')[2]}]`"
            yield Problem(word, "several values", expected, "Add `-m` to run each.")
        elif one in choices and not one.is_delete():
            options = option_names(key)
            for value in map(str, chosen if isinstance(chosen, list) else [chosen]):
                if value not in options:
                    wrong = True
                    remedy = "Correct the word; `wsss run --help` lists the groups."
                    where = f"{key}={value}"
                    yield from unknown_word(where, "option", value, options, remedy).problems
    if wrong:
        return
    try:
        cfg = hydra.compose(config_name, [str(one.input_line) for one in choices])
    except HydraException:  # A choice of a group that the primary file does not name.
        return
    known = sorted(setting_names(cfg))
    keys = [one.key_or_group for one in overrides]
    with_own_class = {key.removesuffix(TARGET) for key in keys if key.endswith(TARGET)}
    for one in overrides:
        key, last = one.key_or_group, one.key_or_group.rpartition(".")[2]
        may_be_new = one.is_add() or one.is_force_add() or one.is_hydra_override()
        if one not in choices and not may_be_new and key not in known:
            alike = [name for name in known if name.rpartition(".")[2] == last][:3]
            remedy = f"Correct the word; `wsss {config_name} --cfg job` shows the settings."
            if key.rpartition(".")[0] in with_own_class:
                remedy = f"Write `+{one.input_line}` for an argument of a class of your own."
            right = group_names() if "/" in key else known
            yield from unknown_word(key, "setting", key, right, remedy, alike).problems


def _wrong_values(
    cfg: DictConfig, overrides: Sequence[Override], schema: type | None
) -> Iterator[Problem]:
    """Values of the wrong type."""
    # Imported here, since a mistyped name is answered without.
    from wsss.settings.schema import RunSettings
    from wsss.settings.value_types import read, refused

    words = {one.key_or_group: str(one.input_line) for one in overrides}
    told = set()
    try:
        read(cfg, schema or RunSettings, words)
    except WsssError as error:
        told = {problem.where for problem in error.problems}
        yield from error.problems
    for one in overrides:
        if str(one.input_line) not in told:
            yield from refused(cfg, one)


def _without_value(cfg: DictConfig) -> Iterator[Problem]:
    """Settings without a value or default."""
    came, expected = "this setting has no value", "a value of yours: there is no default"
    for name in setting_names(cfg):
        owner, _, key = name.rpartition(".")
        if OmegaConf.is_missing(OmegaConf.select(cfg, owner) if owner else cfg, key):
            yield Problem(name, came, expected, f"Add `{name}=…` to the command.")


def setting_names(node: DictConfig, prefix: str = "") -> Iterator[str]:
    """The dotted names of all settings, groups of settings included."""
    for key in node:
        name = f"{prefix}{key!s}"
        yield name
        value = node._get_node(key)
        if isinstance(value, DictConfig) and not (value._is_missing() or value._is_interpolation()):
            yield from setting_names(value, f"{name}.")
