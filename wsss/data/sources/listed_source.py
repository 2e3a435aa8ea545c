"""Data sets whose items are lists, and the problems of such lists."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from wsss.data.item_table import ItemTable
from wsss.data.source import SPLITS, TRAIN, VAL, Source
from wsss.errors import Problem, Severity
from wsss.wording import name_some, plural


class ListedSource(Source):
    """A data set whose items are known when it is built."""

    root: Path
    """The folder or file that holds everything, absolute; or the name of a data set of a hub."""
    _items: dict[str, ItemTable]

    @property
    def address(self) -> str:
        """That of the folder or file."""
        return self.root.absolute().as_uri()

    def items(self, split: str) -> ItemTable:
        """All items of `train` or `val`, in a fixed order."""
        return self._items[split]

    def inspect(self) -> Sequence[Problem]:
        """Problems of the splits, whatever files they were read from."""
        return [
            *self._inspect_empty(),
            *self._inspect_overlap(),
            *self._inspect_tags(),
            *self._inspect_missing_masks(),
        ]

    def _inspect_empty(self) -> Iterator[Problem]:
        for split in SPLITS:
            if not self._items[split]:
                yield Problem(
                    str(self.root),
                    f"the split `{split}` is empty",
                    "at least one image to train on and one to validate with",
                    "Add images, or list the ids of each split in a file of their own.",
                )

    def _inspect_overlap(self) -> Iterator[Problem]:
        val_ids = {*self._items[VAL].ids()}
        shared = [item_id for item_id in self._items[TRAIN].ids() if item_id in val_ids]
        if shared:
            yield Problem(
                str(self.root),
                f"{plural(len(shared), 'image is', 'images are')} in both train and val: "
                f"{name_some(shared)}",
                "splits without common images",
                "Take them out of one split: validation on images seen in training flatters.",
                Severity.WARNING,
            )

    def _inspect_tags(self) -> Iterator[Problem]:
        counts = Counter(label for labels in self._items[TRAIN].labels() for label in labels)
        unseen = [name for label, name in enumerate(self.class_names, 1) if not counts[label]]
        if unseen and self._items[TRAIN]:
            yield Problem(
                str(self.root),
                f"{plural(len(unseen), 'class has', 'classes have')} no image in train: "
                f"{name_some(unseen)}",
                "at least one training image of every class",
                "Add such images; a class never seen is never found, and scores 0.",
                Severity.WARNING,
            )
        untagged = dict.fromkeys(
            item_id
            for items in (self._items[split] for split in SPLITS)
            for item_id, labels in items.tags()
            if not labels
        )
        if untagged:
            yield Problem(
                str(self.root),
                f"{plural(len(untagged), 'image has', 'images have')} no labels: "
                f"{name_some([*untagged])}",
                "the label of every object an image shows",
                "Nothing to do if they show background only; else add their labels.",
                Severity.WARNING,
            )

    def _inspect_missing_masks(self) -> Iterator[Problem]:
        if not any(file for items in self._items.values() for file in items.mask_files()):
            return
        for split, items in self._items.items():
            missing = [
                item_id
                for item_id, file in zip(items.ids(), items.mask_files(), strict=True)
                if file is None
            ]
            if missing:
                yield Problem(
                    str(self.root),
                    f"{len(missing):,} of {plural(len(items), f'{split} image')} "
                    f"{'has' if len(missing) == 1 else 'have'} no mask: {name_some(missing)}",
                    "a mask for every image, where there are masks",
                    "Nothing to do: these images are left out of the evaluation.",
                    Severity.WARNING,
                )
