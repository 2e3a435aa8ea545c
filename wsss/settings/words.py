"""What is written on a command line: words `key=value`, in Hydra's grammar."""

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import cast

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException

from wsss.errors import Problem, WsssError
from wsss.settings.folder import config_dir

SEARCH_PATH = "hydra.searchpath"
"""The setting that names further folders of configuration files."""


def parse(words: Iterable[str]) -> list[Override]:
    """What words say, in the way that Hydra writes it.

    Raises:
        WsssError: names every word that is none of Hydra's grammar.
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
    if not (config_dir() / group).is_dir():
        return word
    return f"~{group}" if value == "null" else f"{group}{sign}{value}"


def folders(overrides: Iterable[Override]) -> list[Path]:
    """Where configuration files are looked for: the package's folder, and those that words name."""
    own = (one.value() for one in overrides if one.key_or_group == SEARCH_PATH)
    paths = (str(path) for value in own for path in (value if isinstance(value, list) else [value]))
    return [config_dir(), *(Path(path.removeprefix("file://")) for path in paths)]


def is_choice(override: Override, places: Iterable[Path]) -> bool:
    """Whether it chooses an option of a group, and does not set a value."""
    return any((place / override.key_or_group).is_dir() for place in places)


def option_names(group: str, places: Iterable[Path] = ()) -> list[str]:
    """The options of a group, in the package's folder if no other is named."""
    places = [*places] or [config_dir()]
    return sorted({path.stem for place in places for path in (place / group).glob("*.yaml")})


def runs_of_sweep(overrides: Iterable[Override]) -> list[tuple[list[str], list[str]]]:
    """The runs of a sweep, as Hydra's basic sweeper makes them.

    Returns:
        of each run, its words, and those of them that differ from run to run. What other sweepers
        make, such as `interval(0,1)`, is left out.
    """
    fixed, swept = [], []
    for one in overrides:
        key, value = one.get_key_element(), cast("object", one.value())
        if not one.is_sweep_override():
            fixed.append(str(one.input_line))
        elif isinstance(value, Glob):
            names = value.filter(option_names(one.key_or_group))
            swept.append([f"{key}={name}" for name in names])
        elif one.is_discrete_sweep():
            swept.append([f"{key}={each}" for each in one.sweep_string_iterator()])
    return [([*fixed, *own], list(own)) for own in product(*swept)]
