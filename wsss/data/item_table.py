"""Items of a data set in arrays: some sixty bytes an image, whatever processes share them."""

import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import eq
from pathlib import Path
from typing import overload

from wsss.data.sample import Item
from wsss.data.texts import Texts

_AS_IT_IS = "\0"
"""Before a path that does not begin with the table's folder."""


@dataclass(slots=True)
class _Columns:
    """What is known of all items, in the same order."""

    folder: str
    """How most of the paths begin, with a separator at its end."""
    ids: Texts = field(default_factory=Texts)
    labels: bytearray = field(default_factory=bytearray)
    """Mask values, those of one item after those of another."""
    label_starts: "array[int]" = field(default_factory=lambda: array("q", [0]))
    images: Texts = field(default_factory=Texts)
    """Paths without `folder`; empty where there is none."""
    masks: Texts = field(default_factory=Texts)

    def append(self, item_id: str, labels: Iterable[int], image: str, mask: str) -> None:
        """Add an item."""
        self.ids.append(item_id)
        self.labels += bytes(labels)
        self.label_starts.append(len(self.labels))
        self.images.append(image)
        self.masks.append(mask)

    def shortened(self, path: str) -> str:
        """A path as it is kept."""
        if not path:
            return ""
        return path[len(self.folder) :] if path.startswith(self.folder) else _AS_IT_IS + path

    def file(self, text: str) -> str | None:
        """The path that a kept text stands for."""
        if not text:
            return None
        return text[1:] if text[0] == _AS_IT_IS else self.folder + text

    def labels_of(self, row: int) -> tuple[int, ...]:
        """Mask values of an item."""
        return tuple(self.labels[self.label_starts[row] : self.label_starts[row + 1]])

    def item(self, row: int) -> Item:
        """An item."""
        image, mask = (self.file(texts[row]) for texts in (self.images, self.masks))
        return Item(
            self.ids[row],
            self.labels_of(row),
            None if image is None else Path(image),
            None if mask is None else Path(mask),
        )


class ItemTable(Sequence[Item]):
    """Items that are built when they are looked at.

    A list of them takes 500 bytes an image, and as much again in every forked process, since
    counting references writes to each.
    """

    __slots__ = ("_columns", "_rows")

    def __init__(self, columns: _Columns, rows: Sequence[int]) -> None:
        self._columns = columns
        self._rows = rows

    @classmethod
    def of(cls, items: Iterable[Item], folder: Path) -> "ItemTable":
        """A table of items, read one by one, whose files are below `folder` for the most part."""
        rows = ((one.id, one.labels, str(one.image or ""), str(one.mask or "")) for one in items)
        return cls.of_files(rows, folder)

    @classmethod
    def of_files(
        cls, rows: Iterable[tuple[str, Iterable[int], str, str]], folder: Path
    ) -> "ItemTable":
        """A table of ids, mask values, and paths of image and mask, blank where there is none."""
        columns = _Columns(str(folder).rstrip(os.sep) + os.sep)
        for item_id, labels, image, mask in rows:
            columns.append(item_id, labels, columns.shortened(image), columns.shortened(mask))
        return cls(columns, range(len(columns.ids)))

    def __len__(self) -> int:
        """Number of items."""
        return len(self._rows)

    @overload
    def __getitem__(self, position: int) -> Item: ...
    @overload
    def __getitem__(self, position: slice) -> "ItemTable": ...
    def __getitem__(self, position: int | slice) -> "Item | ItemTable":
        """An item, or a table of some."""
        if isinstance(position, slice):
            return ItemTable(self._columns, self._rows[position])
        return self._columns.item(self._rows[position])

    def __eq__(self, other: object) -> bool:
        """Whether these are the same items in the same order."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]

    def take(self, positions: Iterable[int]) -> "ItemTable":
        """The items at some positions; what is known of them is shared with this table."""
        return ItemTable(self._columns, array("q", (self._rows[one] for one in positions)))

    def ids(self) -> Iterator[str]:
        """The id of each item."""
        return map(self._columns.ids.__getitem__, self._rows)

    def labels(self) -> Iterator[tuple[int, ...]]:
        """The mask values of each item's tags."""
        return map(self._columns.labels_of, self._rows)

    def tags(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """The id and the mask values of each item."""
        return zip(self.ids(), self.labels(), strict=True)

    def image_files(self) -> Iterator[str | None]:
        """The path of each item's image."""
        return (self._columns.file(self._columns.images[row]) for row in self._rows)

    def mask_files(self) -> Iterator[str | None]:
        """The path of each item's mask."""
        return (self._columns.file(self._columns.masks[row]) for row in self._rows)


def take(items: Sequence[Item], positions: Iterable[int]) -> Sequence[Item]:
    """The items at some positions: of a table, a table."""
    if isinstance(items, ItemTable):
        return items.take(positions)
    return [items[position] for position in positions]


def select(items: Sequence[Item], keep: Callable[[Item], bool]) -> Sequence[Item]:
    """The items for which `keep` is true: of a table, a table."""
    return take(items, (position for position, item in enumerate(items) if keep(item)))
