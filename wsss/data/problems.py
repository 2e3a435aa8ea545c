"""How the data sources word their problems: counted, named, grouped."""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from os.path import commonpath
from pathlib import Path

from wsss.errors import Problem, Severity

GROUP_FROM = 5
"""This many problems alike become one."""

NAMED = 3
"""So many of them are named."""

_ORDER = (Severity.ERROR, Severity.SKIPPED, Severity.WARNING)


def group_alike(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Join problems that call for the same remedy, the grave ones first.

    `GROUP_FROM` or more problems of one severity and remedy become one that names the first
    `NAMED` and says how many there are.
    """
    alike: dict[tuple[Severity, str], list[Problem]] = defaultdict(list)
    for problem in problems:
        alike[problem.severity, problem.remedy].append(problem)
    grouped: list[Problem] = []
    for (_, _), group in sorted(alike.items(), key=lambda entry: _ORDER.index(entry[0][0])):
        grouped += [_join(group)] if len(group) >= GROUP_FROM else group
    return tuple(grouped)


def _join(group: Sequence[Problem]) -> Problem:
    """One problem in place of many alike."""
    places = {problem.where for problem in group}
    where = places.pop() if len(places) == 1 else _common_folder(list(places))
    named = [
        problem.came
        if problem.where == where
        else f"{Path(problem.where).relative_to(where) if where else problem.where}: {problem.came}"
        for problem in group[:NAMED]
    ]
    listed = "; ".join([*named, f"and {len(group) - NAMED} more"])
    return replace(group[0], where=where or group[0].where, came=f"{len(group)} times: {listed}")


def _common_folder(places: Sequence[str]) -> str:
    """The deepest folder above all places; empty where they are no absolute paths."""
    if not all(Path(place).is_absolute() for place in places):
        return ""
    return commonpath(places)


def name_some(names: Sequence[str]) -> str:
    """The names, quoted; of `GROUP_FROM` or more the first `NAMED` and how many more there are."""
    shown = names if len(names) < GROUP_FROM else names[:NAMED]
    listed = ", ".join(f"'{readable(name)}'" for name in shown)
    return listed if len(shown) == len(names) else f"{listed} and {len(names) - len(shown):,} more"


def readable(name: str) -> str:
    r"""A file's name to print: of one that is not UTF-8 the other bytes as `\xe9`."""
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def plural(count: int, singular: str, several: str | None = None) -> str:
    """A count with its noun: `1 image`, `2 images`."""
    return f"{count:,} {singular if count == 1 else several or singular + 's'}"


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """` (did you mean 'cat'?)` if one of the names is close to `name`, else nothing."""
    by_folded = {known.casefold(): known for known in names}
    close = get_close_matches(name.casefold(), by_folded, n=1)
    return f" (did you mean '{by_folded[close[0]]}'?)" if close else ""
