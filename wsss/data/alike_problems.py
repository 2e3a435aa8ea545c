"""Grouping of problems with the same remedy."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from os.path import commonpath
from pathlib import Path

from wsss.errors import Problem, Severity
from wsss.wording import GROUP_FROM, NAMED

_ORDER = (Severity.ERROR, Severity.SKIPPED, Severity.WARNING)


def group_alike(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Join problems with the same remedy, errors first.

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
    """One problem for a group with the same remedy."""
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
    """The deepest common folder of all places; empty unless all are absolute paths."""
    if not all(Path(place).is_absolute() for place in places):
        return ""
    return commonpath(places)
