"""A data set of which some tags are hidden, and which of them an audit finds."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from linked_photographs import linked

from wsss.artifacts import fingerprint
from wsss.data.sample import Item
from wsss.data.source import Source
from wsss.data.sources.folder.folder import Folder
from wsss.data.sources.folder.tags.tag_table import TagRow


def hidden_tags(rows: Sequence[TagRow], count: int, seed: int) -> dict[str, str]:
    """The second tags of `count` images with several, drawn at random: the class by image id.

    Raises:
        ValueError: there are not so many.
    """
    several = [row for row in rows if len(row.labels) > 1]
    if count > len(several):
        raise ValueError(f"--hidden {count}: only {len(several)} images have several tags")
    drawn = np.random.default_rng(seed).permutation(len(several))[:count]
    return {image_id(several[index]): several[index].labels[1] for index in sorted(drawn)}


def image_id(row: TagRow) -> str:
    return Path(row.image).with_suffix("").as_posix()


def with_hidden_tags(
    root: Path, rows: Sequence[TagRow], hidden: Mapping[str, str], parent: Path
) -> Path:
    """A data set of the same images, masks and splits, as links, whose table lacks some tags.

    It is named after its table, and made once.

    Args:
        root: of the data set, absolute.
        rows: of its `labels.csv`.
        hidden: the class that an image is not tagged with, by its id.
        parent: folder that it is made in.
    """
    left = [
        replace(row, labels=tuple(one for one in row.labels if one != hidden.get(image_id(row))))
        for row in rows
    ]
    table = [[row.image, *row.labels] for row in left]
    folder = parent / f"hidden_{fingerprint([str(root), table])}"
    if folder.is_dir():
        return folder
    parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="hidden_", dir=parent) as temporary:
        made = linked(root, left, Path(temporary) / "data")
        if (root / "splits").is_dir():
            (made / "splits").symlink_to(root / "splits")
        if not (made / "classes.txt").exists():  # A class whose every tag is hidden stays one.
            names = ["background", *Folder(root).class_names]
            (made / "classes.txt").write_text("\n".join(names), encoding="utf-8")
        with suppress(OSError):  # Another command was faster.
            made.rename(folder)
    return folder


def judged(
    findings: Sequence[Mapping[str, Any]],
    hidden: Mapping[str, str],
    source: Source,
    items: Mapping[str, Item],
) -> list[dict[str, Any]]:
    """Findings of missing tags, and whether the class was hidden, or is in the mask (`oracle`).

    Args:
        findings: of `audit.json`, best first.
        hidden: the class that an image is not tagged with, by its id.
        source: the data set; masks are opened.
        items: its items by id.
    """
    judgements = []
    for rank, one in enumerate(findings, start=1):
        mask = source.read_mask(items[one["image"]])
        label = source.class_names.index(one["label"]) + 1
        judgements.append({
            "rank": rank,
            "image": one["image"],
            "label": one["label"],
            "score": one["score"],
            "flagged": one["flagged"],
            "hidden": hidden.get(one["image"]) == one["label"],
            "in_mask_oracle": None if mask is None else bool((mask == label).any()),
        })  # fmt: skip
    return judgements
