"""Words `key=value` of a command line, in Hydra's grammar."""

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import cast

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException
from omegaconf import OmegaConf

from wsss.errors import Problem, WsssError
from wsss.settings.config_dir import config_dir


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


def option_names(group: str) -> list[str]:
    """The options of a group; empty for other keys. Of Hydra's own groups, its plugins' as well."""
    own = {path.stem for path in (config_dir() / group).glob("*.yaml")}
    if group in {"hydra/launcher", "hydra/sweeper"}:
        plugins = ConfigStore.instance().list(group)  # Those that Hydra has found by now.
        own |= {Path(name).stem for name in plugins}
    return sorted(own)


def default_option(group: str) -> str | None:
    """The option of a group that a run has unless another is chosen; None if it has none."""
    primary = OmegaConf.load(config_dir() / "run.yaml")
    chosen = (one[group] for one in primary.defaults if OmegaConf.is_dict(one) and group in one)
    return next(chosen, None)


def runs_of_sweep(overrides: Iterable[Override]) -> list[tuple[list[str], list[str]]]:
    """The runs of a sweep, as Hydra's basic sweeper makes them.

    Returns:
        of each run, all its words, and the swept ones. Ranges of other sweepers, such as
        `interval(0,1)`, are left out.
    """
    fixed, swept = [], []
    for one in overrides:
        key, value = one.get_key_element(), cast("object", one.value())
        if not one.is_sweep_override():
            fixed.append(str(one.input_line))
        elif isinstance(value, Glob):
            swept.append([f"{key}={name}" for name in value.filter(option_names(key))])
        elif one.is_discrete_sweep():
            swept.append([f"{key}={each}" for each in one.sweep_string_iterator()])
    return [([*fixed, *own], list(own)) for own in product(*swept)]


def words_of_sweep(words: Iterable[str]) -> list[list[str]]:
    """The swept words of every run of a sweep."""
    return [own for _, own in runs_of_sweep(parse(words))]
