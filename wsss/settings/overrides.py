"""Words `key=value` of a command line, in Hydra's grammar."""

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import cast

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override
from hydra.errors import HydraException
from omegaconf import OmegaConf

from wsss.errors import Problem, WsssError, user_error
from wsss.settings.config_dir import config_dir

LAUNCHER, SWEEPER = "hydra/launcher", "hydra/sweeper"
"""Hydra's groups of who starts the runs of a sweep, and who chooses them."""


def parse(words: Iterable[str]) -> list[Override]:
    """Hydra's overrides of words.

    Raises:
        WsssError: names every word that Hydra cannot parse.
    """
    parser, overrides, problems = OverridesParser.create(), [], []
    for word in words:
        try:
            if "=" not in word and not word.startswith("~"):
                raise HydraException("no setting")
            overrides.append(parser.parse_override(in_hydras_way(word)))
        except HydraException:
            problems.append(
                Problem(
                    word,
                    "this cannot be read as a setting",
                    "`key=value`, a list as `key=[a,b]` without spaces",
                    "Quote values with spaces, brackets or other signs, for the shell and for "
                    "Hydra: \"data.root='/my photos (2)'\".",
                )
            )
    if problems:
        raise WsssError(*problems)
    return overrides


def in_hydras_way(word: str) -> str:
    """Write `refine.engine=torch` as `refine/engine=torch`, the choice `group=null` as `~group`."""
    key, sign, value = word.partition("=")
    group = key.replace(".", "/")
    if not is_group(group):
        return word
    return f"~{group}" if value == "null" else f"{group}{sign}{value}"


def is_group(key: str) -> bool:
    """Whether it is a group of options, such as `cam` or `refine/engine`."""
    return (config_dir() / key).is_dir()


def group_names() -> list[str]:
    """Our groups of options, such as `cam` or `refine/engine`; Hydra's own are left out."""
    root = config_dir()
    folders = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_dir())
    return sorted(name for name in folders if not name.startswith("hydra"))


def option_names(group: str) -> list[str]:
    """The options of a group; empty for other keys. Of Hydra's own groups, its plugins' as well."""
    own = {path.stem for path in (config_dir() / group).glob("*.yaml")}
    if group in {LAUNCHER, SWEEPER}:
        plugins = ConfigStore.instance().list(group)  # Those that Hydra has found by now.
        own |= {Path(name).stem for name in plugins}
    return sorted(own)


def default_option(group: str) -> str | None:
    """The option of a group that a run has unless another is chosen; None if it has none."""
    primary = OmegaConf.load(config_dir() / "run.yaml")
    chosen = (one[group] for one in primary.defaults if OmegaConf.is_dict(one) and group in one)
    return next(chosen, None)


def runs_of_sweep(
    overrides: Iterable[Override],
) -> list[tuple[list[str], list[str]]]:
    """The runs of a sweep, as Hydra's basic sweeper makes them; of a search, those to be checked.

    A search has no list of runs: every value of a setting, and both ends of an interval, stand
    there beside the first values of the others.

    Returns:
        of each run, all its words, and the swept ones.

    Raises:
        WsssError: there is an interval, and no search that could choose from it.
    """
    fixed, swept = [], []
    overrides = [*overrides]
    searched = is_search(overrides)
    for one in overrides:
        key, value = one.get_key_element(), cast("object", one.value())
        if not one.is_sweep_override():
            fixed.append(str(one.input_line))
        elif isinstance(value, Glob):
            swept.append([f"{key}={name}" for name in value.filter(option_names(key))])
        elif one.is_discrete_sweep():
            swept.append([f"{key}={each}" for each in one.sweep_string_iterator()])
        elif isinstance(value, IntervalSweep) and searched:
            swept.append([f"{key}={value.start}", f"{key}={value.end}"])
        else:
            raise user_error(
                str(one.input_line), "an interval in a sweep over all combinations",
                "values to choose from, or a search", "List them, or add hydra/sweeper=optuna.",
            )  # fmt: skip
    combinations = corners(swept) if searched else product(*swept)
    return [([*fixed, *own], list(own)) for own in combinations]


def is_search(overrides: Iterable[Override]) -> bool:
    """Whether Optuna chooses the runs of a sweep."""
    return any(one.key_or_group == SWEEPER and str(one.value()) == "optuna" for one in overrides)


def corners(swept: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Every word of every list once at least, beside the first ones of the others."""
    first = tuple(words[0] for words in swept)
    others = (
        (*first[:place], word, *first[place + 1 :])
        for place, words in enumerate(swept)
        for word in words[1:]
    )
    return [first, *others]


def expected_runs(words: Iterable[str]) -> list[list[str]]:
    """The swept words of every run of a sweep; empty for a search, which chooses them."""
    overrides = parse(words)
    return [] if is_search(overrides) else [own for _, own in runs_of_sweep(overrides)]
