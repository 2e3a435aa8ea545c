"""Items of a data set in arrays: some sixty bytes an image, whatever processes share them."""

import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import eq
from pathlib import Path
from typing import Any, overload

from wsss.data.sample import Item
from wsss.data.texts import Texts

Row = tuple[str, tuple[int, ...], str, str, tuple[int, ...]]
"""Id, mask values, paths of image and mask, blank where there is none, and place."""
_AS_IT_IS = "\0"
"""Before a path that does not begin with the table's folder."""


@dataclass(slots=True)
class _Columns:
    """What is known of all items, in the same order."""

    folder: str
    """How most of the paths begin, with a separator at its end."""
    ids: Texts = field(default_factory=Texts)
    labels: "array[int]" = field(default_factory=lambda: array("I"))
    """Mask values, those of one item after those of another; too many classes are told later."""
    label_starts: "array[int]" = field(default_factory=lambda: array("q", [0]))
    images: Texts = field(default_factory=Texts)
    """Paths without `folder`; empty where there is none."""
    masks: Texts = field(default_factory=Texts)
    places: "array[int]" = field(default_factory=lambda: array("q"))
    """Equally many numbers of each item."""

    def append(self, row: Row) -> None:
        """Add an item."""
        item_id, labels, image, mask, place = row
        self.ids.append(item_id)
        self.labels.extend(labels)
        self.label_starts.append(len(self.labels))
        self.images.append(self.shortened(image))
        self.masks.append(self.shortened(mask))
        self.places.extend(place)

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

    def place(self, row: int) -> tuple[int, ...]:
        """Where an item lies in the files of its data set; empty where it has files of its own."""
        width = len(self.places) // len(self.ids)
        return tuple(self.places[width * row : width * (row + 1)])

    def item(self, row: int) -> Item:
        """An item."""
        image, mask = (self.file(texts[row]) for texts in (self.images, self.masks))
        return Item(
            self.ids[row],
            self.labels_of(row),
            None if image is None else Path(image),
            None if mask is None else Path(mask),
            self.place(row),
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
        rows = (
            (one.id, one.labels, str(one.image or ""), str(one.mask or ""), one.place)
            for one in items
        )
        return cls.of_files(rows, folder)

    @classmethod
    def of_files(cls, rows: Iterable[Row], folder: Path) -> "ItemTable":
        """A table of rows, whose paths are below `folder` for the most part."""
        columns = _Columns(str(folder).rstrip(os.sep) + os.sep)
        for row in rows:
            columns.append(row)
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

    def __reduce__(self) -> Any:
        """Send what is known of these items alone to another process."""
        known = self._columns
        if len(self) == len(known.ids):
            return ItemTable, (known, self._rows)
        return _made_of, (list(self._as_rows()), known.folder)

    def _as_rows(self) -> Iterator[Row]:
        files = (self.image_files(), self.mask_files())
        images, masks = ((file or "" for file in column) for column in files)
        return zip(self.ids(), self.labels(), images, masks, self.places(), strict=True)

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

    def places(self) -> Iterator[tuple[int, ...]]:
        """Where each item lies in the files of its data set."""
        return map(self._columns.place, self._rows)


def _made_of(rows: list[Row], folder: str) -> ItemTable:
    return ItemTable.of_files(rows, Path(folder))


def joined(*parts: Sequence[Item]) -> Sequence[Item]:
    """Items one after another: of tables, a table."""
    if all(isinstance(part, ItemTable) for part in parts):
        tables = [part for part in parts if isinstance(part, ItemTable)]
        rows = chain.from_iterable(table._as_rows() for table in tables)
        return ItemTable.of_files(rows, Path(tables[0]._columns.folder))
    return [*chain.from_iterable(parts)]


def tags_of(items: Sequence[Item]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The id and the mask values of each item."""
    return items.tags() if isinstance(items, ItemTable) else ((one.id, one.labels) for one in items)


def take(items: Sequence[Item], positions: Iterable[int]) -> Sequence[Item]:
    """The items at some positions: of a table, a table."""
    if isinstance(items, ItemTable):
        return items.take(positions)
    return [items[position] for position in positions]


def select(items: Sequence[Item], keep: Callable[[Item], bool]) -> Sequence[Item]:
    """The items for which `keep` is true: of a table, a table."""
    return take(items, (position for position, item in enumerate(items) if keep(item)))
