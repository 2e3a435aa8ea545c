"""What differs between runs: settings and numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from wsss.comparing.compared_run import ComparedRun

NOT_SET = "default"
"""In place of a setting that the command of a run does not name."""


def differing_settings(runs: Sequence[ComparedRun]) -> dict[str, list[str]]:
    """Settings that not all runs share, under short names, each with its value in every run.

    By the words of their commands; where one left no record of these, by what stages were given.
    """
    if all(run.words is not None for run in runs):
        tables: list[Mapping[str, str]] = [run.words or {} for run in runs]
    else:
        tables = [
            {
                f"{stage}.{key}": value
                for stage, manifest in run.manifests.items()
                for key, value in flat(manifest.config).items()
            }
            for run in runs
        ]
    names = dict.fromkeys(name for table in tables for name in table)
    columns = {name: [table.get(name, NOT_SET) for table in tables] for name in names}
    differing = {name: values for name, values in columns.items() if len({*values}) > 1}
    return dict(zip(shortened([*differing]), differing.values(), strict=True))


def shortened(names: Sequence[str]) -> list[str]:
    """Dotted names as their last parts, where no two share these."""
    last = [name.rpartition(".")[2] for name in names]
    return [
        short if last.count(short) == 1 else name for name, short in zip(names, last, strict=True)
    ]


def shared_settings(runs: Sequence[ComparedRun], chosen: Sequence[str]) -> str:
    """The settings that set some runs apart, one a line: those that differ, and are one among them.

    Args:
        runs: all of them.
        chosen: the names of some.
    """
    values = {
        name: {one for run, one in zip(runs, column, strict=True) if run.name in chosen}
        for name, column in differing_settings(runs).items()
    }
    return "\n".join(f"{name}={one}" for name, (one, *others) in values.items() if not others)


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings by their dotted names, as text."""
    found: dict[str, str] = {}
    for key, value in settings.items():
        name = f"{prefix}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, Mapping) else {name: str(value)}
    return found


def compared_numbers(
    runs: Sequence[ComparedRun], *, with_masks: bool
) -> dict[str, list[float | None]]:
    """Numbers of the runs by name, each with its value in every run: those that differ.

    Args:
        runs: at least one.
        with_masks: those that ground truth was read for, all of them, else those without.
    """
    tables = [run.numbers(with_masks=with_masks) for run in runs]
    names = dict.fromkeys(name for table in tables for name in table)
    columns = {name: [table.get(name) for table in tables] for name in names}
    return {name: values for name, values in columns.items() if with_masks or len({*values}) > 1}
