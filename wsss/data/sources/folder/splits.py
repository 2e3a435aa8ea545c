"""Training and validation split of a folder: by lists of ids, or by a hash."""

from array import array
from collections.abc import Collection, Sequence
from hashlib import blake2b
from pathlib import Path

from wsss.data.source import TRAIN, VAL
from wsss.data.sources.folder.image_index import ImageIndex, entry_id
from wsss.data.sources.folder.labels import FolderLabels
from wsss.data.sources.lists import read_lines
from wsss.errors import Problem, Severity, WsssError
from wsss.wording import did_you_mean, name_some, plural

SplitIds = dict[str, list[str]]
"""Ids of `train` and `val`."""


def split_by_hash(ids: Collection[str], val_fraction: float) -> SplitIds:
    """Assign each id to `val` with probability `val_fraction`, by a hash of the id alone.

    The split is deterministic, and unchanged by images added later. If a split of two images or
    more would be empty, the id with the nearest hash is moved into it.

    Args:
        ids: ids of all images.
        val_fraction: expected fraction of `val`, in (0, 1).
    """
    ranked = sorted((_unit_hash(item_id), item_id) for item_id in ids)
    num_val = sum(position < val_fraction for position, _ in ranked)
    if len(ranked) >= 2:
        num_val = min(max(num_val, 1), len(ranked) - 1)
    val = {item_id for _, item_id in ranked[:num_val]}
    return {
        TRAIN: [item_id for item_id in ids if item_id not in val],
        VAL: [item_id for item_id in ids if item_id in val],
    }


def positions_by_hash(ids: Sequence[str], val_fraction: float) -> dict[str, Sequence[int]]:
    """`split_by_hash`, as the positions of the ids."""
    held_out = {*split_by_hash(ids, val_fraction)[VAL]}
    positions = {TRAIN: array("q"), VAL: array("q")}
    for position, item_id in enumerate(ids):
        positions[VAL if item_id in held_out else TRAIN].append(position)
    return {**positions}


def read_splits(
    folder: Path, lists: dict[str, str], table: FolderLabels, index: ImageIndex
) -> tuple[SplitIds, list[Problem]]:
    """Read the lists `<name>.txt` of a folder.

    Args:
        folder: where the lists are.
        lists: name of the list of each split.
        table: the labelled images.
        index: all images.

    Returns:
        Ids of labelled images in the order of the lists, and problems of the lists.
    """
    ids: SplitIds = {}
    problems: list[Problem] = []
    for split, name in lists.items():
        ids[split], found = _read_split(folder / f"{name}.txt", split, table, index)
        problems += found
    unlisted = sorted(table.labels.keys() - set().union(*ids.values()))
    if unlisted:
        problems.append(
            Problem(
                str(folder),
                f"{plural(len(unlisted), 'labelled image is', 'labelled images are')} in no "
                f"split: {name_some(unlisted)}",
                "every labelled image in a split",
                "Nothing to do if they are left out on purpose; else add their ids to a list.",
                Severity.WARNING,
            )
        )
    return ids, problems


def _read_split(
    path: Path, split: str, table: FolderLabels, index: ImageIndex
) -> tuple[list[str], list[Problem]]:
    """Ids of one list, in its order, and its problems."""
    if not path.is_file():
        return [], [_no_list(path, split)]
    try:
        lines = list(read_lines(path))
    except WsssError as error:
        return [], list(error.problems)
    problems: list[Problem] = []
    first_line: dict[str, int] = {}
    for line, entry in lines:
        item_id = index.find(entry)
        if item_id in first_line:
            problems.append(
                Problem(
                    str(path),
                    f"line {line}: '{entry}' is listed already in line {first_line[item_id]}",
                    "every id once",
                    "Remove the repeated lines; they are ignored.",
                    Severity.WARNING,
                )
            )
        elif item_id in table.labels:
            first_line[item_id] = line
        elif entry_id(entry) not in table.rejected:
            problems.append(
                Problem(
                    str(path),
                    f"line {line}: '{entry}' is not in the table of labels{index.suggest(entry)}",
                    "ids of labelled images",
                    "Correct these lines, or give the images a row in the table of labels.",
                )
            )
    return list(first_line), problems


def _no_list(path: Path, split: str) -> Problem:
    others = [file.stem for file in sorted(path.parent.glob("*.txt"))]
    present = f"lists named {name_some(others)}" if others else "no lists at all"
    return Problem(
        str(path),
        f"no such file; the folder has {present}{did_you_mean(path.stem, others)}",
        f"the ids of the split `{split}`, one a line",
        f"Add it, name another list as `{split}`, or remove the folder of lists to have images "
        "split by themselves.",
    )


def _unit_hash(item_id: str) -> float:
    """Hash of the id as a number in [0, 1)."""
    return int.from_bytes(blake2b(item_id.encode(), digest_size=6).digest(), "big") / 2**48
