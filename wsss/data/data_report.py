"""Statistics and problems of a data set, found before a run."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil
from statistics import median_low

from wsss.data.alike_problems import group_alike
from wsss.data.image_inspection import Inspection as Inspection
from wsss.data.image_inspection import inspect_item as inspect_item
from wsss.data.sample import Item
from wsss.data.source import SPLITS, TRAIN, Source
from wsss.errors import Problem, Severity
from wsss.wording import name_some, plural

MAX_SIDE_PX = 4096
"""Images with a longer side are reported: they are processed at reduced size."""

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True, slots=True)
class DataReport:
    """Statistics and problems of a data set."""

    name: str
    class_names: tuple[str, ...]
    num_images: Mapping[str, int]
    """By split, unusable images included."""
    num_masks: Mapping[str, int]
    """By split. Only this check and the evaluation read masks."""
    class_counts: Mapping[str, tuple[int, ...]]
    """Images with each class, by split."""
    pair_counts: tuple[tuple[int, int, int], ...]
    """Mask values 1…C of two classes, and the training images that have both; frequent ones first.
    Together with `class_counts` this is the matrix of co-occurrence, without its zeros."""
    sizes: Mapping[str, Size]
    """Height and width of each decoded image by id."""
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
        heights, widths = zip(*self.sizes.values(), strict=True)
        return {
            name: (min(sides), median_low(sides), max(sides))
            for name, sides in (("height", heights), ("width", widths))
        }

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
    source: Source, inspections: Iterable[Inspection], max_failed_fraction: float = 0.01
) -> DataReport:
    """The report of a data set, from its lists and the inspections of all items.

    Args:
        source: the data set.
        inspections: one of every item, in any order.
        max_failed_fraction: fraction of a split's images that a run may leave out, in [0, 1].
    """
    by_id = {inspection.id: inspection for inspection in inspections}
    items = {split: source.items(split) for split in SPLITS}
    ordered = [
        by_id[i] for i in dict.fromkeys(i.id for s in SPLITS for i in items[s]) if i in by_id
    ]
    return DataReport(
        name=source.name,
        class_names=tuple(source.class_names),
        num_images={split: len(items[split]) for split in SPLITS},
        num_masks={
            split: sum(i.id in by_id and by_id[i.id].has_mask for i in items[split])
            for split in SPLITS
        },
        class_counts={
            split: _class_counts(items[split], len(source.class_names)) for split in SPLITS
        },
        pair_counts=_pair_counts(items[TRAIN]),
        sizes={i.id: (i.height, i.width) for i in ordered if i.decoded},
        unusable_ids={
            split: tuple(i.id for i in items[split] if i.id in by_id and not by_id[i.id].usable)
            for split in SPLITS
        },
        problems=group_alike(
            [
                *source.audit(),
                *(problem for inspection in ordered for problem in inspection.problems),
                *_conversions(source.name, ordered),
                *_large_images(source.name, ordered),
            ]
        ),
        max_failed_fraction=max_failed_fraction,
        described=source.described,
    )


def _class_counts(items: Sequence[Item], num_classes: int) -> tuple[int, ...]:
    counts = Counter(label for item in items for label in item.labels)
    return tuple(counts[label] for label in range(1, num_classes + 1))


def _pair_counts(items: Sequence[Item]) -> tuple[tuple[int, int, int], ...]:
    counts = Counter(pair for item in items for pair in combinations(item.labels, 2))
    return tuple((a, b, n) for (a, b), n in sorted(counts.items(), key=lambda e: (-e[1], e[0])))


def _conversions(name: str, inspections: Sequence[Inspection]) -> Iterator[Problem]:
    """One problem for all images that are not plain RGB."""
    ids_by_kind: dict[str, list[str]] = {}
    for inspection in inspections:
        for kind in inspection.conversions:
            ids_by_kind.setdefault(kind, []).append(inspection.id)
    if ids_by_kind:
        kinds = (f"{len(ids):,} {kind} ({name_some(ids)})" for kind, ids in ids_by_kind.items())
        yield Problem(
            name,
            f"images that are not plain RGB: {', '.join(kinds)}",
            "upright 8-bit RGB",
            "Nothing to do: they are converted to RGB when they are read.",
            Severity.WARNING,
        )


def _large_images(name: str, inspections: Sequence[Inspection]) -> Iterator[Problem]:
    """One problem for all images that are processed at reduced size."""
    large = [i.id for i in inspections if max(i.height, i.width) > MAX_SIDE_PX]
    if large:
        yield Problem(
            name,
            f"{plural(len(large), 'image')} with a side over {MAX_SIDE_PX} px: {name_some(large)}",
            "photographs of a few hundred to a few thousand pixels",
            "Nothing to do: they are processed at reduced size. Reducing the files saves time.",
            Severity.WARNING,
        )
