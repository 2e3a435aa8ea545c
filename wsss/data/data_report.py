"""Statistics and problems of a data set, found before a run."""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import ceil

import numpy as np
from jaxtyping import Int64

from wsss.data.alike_problems import group_alike
from wsss.data.image_inspection import Inspection as Inspection
from wsss.data.image_inspection import inspect_item as inspect_item
from wsss.data.inspection_table import InspectionTable
from wsss.data.item_table import tags_of
from wsss.data.mask_table import MaskTable
from wsss.data.size_table import SizeTable
from wsss.data.source import SPLITS, TRAIN, Source
from wsss.data.texts import Texts
from wsss.errors import Problem, Severity
from wsss.wording import name_some, plural

MAX_SIDE_PX = 4096
"""Images with a longer side are reported: they are processed at reduced size."""
SIDES = ("height", "width")


@dataclass(frozen=True, slots=True)
class DataReport:
    """Statistics and problems of a data set."""

    name: str
    class_names: tuple[str, ...]
    num_images: Mapping[str, int]
    """By split, unusable images included."""
    num_masks: Mapping[str, int]
    """By split. Only this check, the evaluation and the bound (oracle) read masks."""
    class_counts: Mapping[str, tuple[int, ...]]
    """Images with each class, by split."""
    pair_counts: tuple[tuple[int, int, int], ...]
    """Mask values 1…C of two classes, and the training images that have both; frequent ones first.
    Together with `class_counts` this is the matrix of co-occurrence, without its zeros."""
    sizes: SizeTable
    """Height and width of each decoded image by id."""
    masked: MaskTable
    """Ids of the images that have a mask."""
    unusable_ids: Mapping[str, tuple[str, ...]]
    """Ids of unusable images, by split."""
    problems: tuple[Problem, ...]
    """Grouped, errors first."""
    max_failed_fraction: float = 0.01
    """Largest tolerated fraction of unusable images in a split."""
    described: str = ""
    """How the data set's lists were read, in a line; may be empty."""

    @property
    def failed(self) -> bool:
        """Whether this would break a run."""
        return bool(self.blocking)

    @property
    def blocking(self) -> tuple[Problem, ...]:
        """The problems that would break a run; empty if it can start."""
        errors = [p for p in self.problems if p.severity == Severity.ERROR]
        skipped = [p for p in self.problems if p.severity == Severity.SKIPPED]
        too_many = list(self._too_many_unusable())
        return (*errors, *self._too_few(), *too_many, *(skipped if too_many else ()))

    @property
    def unusable(self) -> frozenset[str]:
        """Ids of unusable images in any split."""
        return frozenset().union(*self.unusable_ids.values())

    @property
    def side_ranges(self) -> dict[str, tuple[int, int, int]]:
        """Smallest, median and largest `height` and `width` in pixels; empty without images."""
        if not self.sizes:
            return {}
        ascending = np.sort(self.sizes.sides, axis=0)
        low, median, high = ascending[[0, (len(ascending) - 1) // 2, -1]].tolist()
        return {name: (low[axis], median[axis], high[axis]) for axis, name in enumerate(SIDES)}

    def _too_few(self) -> Iterator[Problem]:
        usable = self.num_images[TRAIN] - len(self.unusable_ids[TRAIN])
        if usable == 1:
            yield Problem(
                f"{self.name}, split {TRAIN}",
                "one usable image",
                "at least two, to train on batches",
                "Add images with labels.",
            )

    def _too_many_unusable(self) -> Iterator[Problem]:
        for split, ids in self.unusable_ids.items():
            total = self.num_images[split]
            tolerated = len(ids) <= self.max_failed_fraction * total
            if not ids or (tolerated and len(ids) < total):
                continue
            none_left = len(ids) == total
            tolerant = ceil(10 * len(ids) / total) / 10
            yield Problem(
                f"{self.name}, split {split}",
                f"{len(ids):,} of {plural(total, 'image')} ({len(ids) / total:.1%}) cannot be used",
                f"at most {self.max_failed_fraction:.1%}, and some that can",
                "Mend or replace the images named here."
                if none_left
                else "Mend, replace or remove the images named here, or go on without them: "
                f"max_failed_fraction={tolerant:g}.",
            )


def summarise(
    source: Source, inspections: InspectionTable, max_failed_fraction: float = 0.01
) -> DataReport:
    """The report of a data set, from its lists and the inspections of all items.

    Args:
        source: the data set.
        inspections: one of every item, in any order.
        max_failed_fraction: fraction of a split's images that a run may leave out, in [0, 1].
    """
    found = {split: _of_split(source, split, inspections) for split in SPLITS}
    ordered = _in_order([one.rows for one in found.values()], len(inspections))
    return DataReport(
        name=source.name,
        class_names=tuple(source.class_names),
        num_images={split: one.num_images for split, one in found.items()},
        num_masks={
            split: int(inspections.has_mask[one.rows].sum()) for split, one in found.items()
        },
        class_counts={
            split: tuple(one.counts[label] for label in range(1, len(source.class_names) + 1))
            for split, one in found.items()
        },
        pair_counts=tuple(
            (a, b, n)
            for (a, b), n in sorted(found[TRAIN].pairs.items(), key=lambda e: (-e[1], e[0]))
        ),
        sizes=SizeTable(inspections.index, inspections.sides),
        masked=MaskTable(inspections.index, inspections.has_mask),
        unusable_ids={split: tuple(one.unusable) for split, one in found.items()},
        problems=group_alike(
            [
                *source.inspect(),
                *(one for row in ordered for one in inspections.problems.get(int(row), ())),
                *_conversions(source.name, inspections, ordered),
                *_large_images(source.name, inspections, ordered),
            ]
        ),
        max_failed_fraction=max_failed_fraction,
        described=source.described,
    )


@dataclass(slots=True)
class _Split:
    """What a pass over the items of a split finds."""

    num_images: int = 0
    counts: Counter[int] = field(default_factory=Counter)
    """Images with each label."""
    pairs: Counter[tuple[int, int]] = field(default_factory=Counter)
    """Images with each two labels."""
    unusable: list[str] = field(default_factory=list)
    rows: "array[int]" = field(default_factory=lambda: array("q"))
    """Of the items that were inspected."""


def _of_split(source: Source, split: str, inspections: InspectionTable) -> _Split:
    found = _Split()
    images: Counter[tuple[int, ...]] = Counter()
    for item_id, labels in tags_of(source.items(split)):
        images[labels] += 1
        if (row := inspections.index.find(item_id)) is not None:
            found.rows.append(row)
            if not inspections.usable(row):
                found.unusable.append(item_id)
    found.num_images = images.total()
    for labels, count in images.items():
        found.counts.update(dict.fromkeys(labels, count))
        found.pairs.update(dict.fromkeys(combinations(labels, 2), count))
    return found


def _in_order(parts: Iterable[Sequence[int]], count: int) -> Int64[np.ndarray, " n"]:
    """The rows of all parts, each where it is first, of `count` rows."""
    rows = np.concatenate([np.array(part, dtype=np.int64) for part in parts])
    _, first = np.unique(rows, return_index=True)
    return rows[np.sort(first)]


def _conversions(
    name: str, inspections: InspectionTable, rows: Int64[np.ndarray, " n"]
) -> Iterator[Problem]:
    """One problem for all images that are not plain RGB."""
    ids_by_kind: dict[str, Texts] = {}
    for row in rows[np.array(inspections.conversion)[rows] > 0]:
        for kind in inspections.conversions[inspections.conversion[row]]:
            ids_by_kind.setdefault(kind, Texts()).append(inspections.index.texts[row])
    if ids_by_kind:
        kinds = (f"{len(ids):,} {kind} ({name_some(ids)})" for kind, ids in ids_by_kind.items())
        yield Problem(
            name,
            f"images that are not plain RGB: {', '.join(kinds)}",
            "upright 8-bit RGB",
            "Nothing to do: they are converted to RGB when they are read.",
            Severity.WARNING,
        )


def _large_images(
    name: str, inspections: InspectionTable, rows: Int64[np.ndarray, " n"]
) -> Iterator[Problem]:
    """One problem for all images that are processed at reduced size."""
    large = rows[inspections.sides[rows].max(axis=1, initial=0) > MAX_SIDE_PX]
    if len(large):
        ids = Texts(inspections.index.texts[row] for row in large)
        yield Problem(
            name,
            f"{plural(len(ids), 'image')} with a side over {MAX_SIDE_PX} px: {name_some(ids)}",
            "photographs of a few hundred to a few thousand pixels",
            "Nothing to do: they are processed at reduced size. Reducing the files saves time.",
            Severity.WARNING,
        )
