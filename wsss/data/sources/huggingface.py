"""Hugging Face `datasets`: images in columns of Arrow tables, read in any order."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from pathlib import Path
from typing import Any

from wsss.argument_checks import check_inside_unit
from wsss.data.item_table import ItemTable
from wsss.data.sample import Item
from wsss.data.source import TRAIN, VAL
from wsss.data.sources.embedded_source import EmbeddedSource
from wsss.data.sources.file_digests import SAMPLED_BYTES, sample, sample_file
from wsss.data.sources.folder.splits import split_by_hash
from wsss.data.sources.label_names import Label, as_labels, class_names, mask_values
from wsss.data.sources.optional_packages import needs_package
from wsss.errors import InvalidOptionError, user_error
from wsss.wording import did_you_mean, name_some

ROWS = 1000
"""Rows that are looked at together."""


class HuggingFace(EmbeddedSource):
    """A data set of the library `datasets` with a column of images and one of labels."""

    def __init__(
        self,
        path: str | Path,
        train: str = "train",
        val: str | None = "validation",
        image: str = "image",
        labels: str = "labels",
        mask: str | None = None,
        id: str | None = None,  # noqa: A002 – the name of a column, as the others
        classes: str | None = None,
        val_fraction: float = 0.2,
        name: str | None = None,
    ) -> None:
        """Open the tables, and read the column of labels.

        Args:
            path: a folder that `save_to_disk` wrote, or what `load_dataset` takes.
            train: name of the split to train on.
            val: name of the validation split; where it is missing, the training split is split by a
                hash of the ids.
            image: column of the images.
            labels: column of the labels: a name or number, or a list of them.
            mask: column of the ground truth, for the evaluation only.
            id: column of the ids; None for split and row, such as `train_000012`.
            classes: list of the classes, the background first; None for those that the column knows
                or names.
            val_fraction: fraction of validation images where there is no such split.
            name: short name of the data set; that of the folder if None.

        Raises:
            WsssError: there is no such data set, split or column.
        """
        check_inside_unit(val_fraction=val_fraction)
        self.name = name or Path(path).name
        self.root = Path(path).expanduser().absolute()
        tables = _opened(str(path))
        if train not in tables:
            raise InvalidOptionError(
                "train", train, f"one of the splits {name_some([*tables])}",
                f"no such split{did_you_mean(train, tables)}",
            )  # fmt: skip
        used = {TRAIN: tables[train], **({VAL: tables[val]} if val in tables else {})}
        columns = {"image": image, "labels": labels, "mask": mask, "id": id}
        self._tables = {split: _encoded(table, columns) for split, table in used.items()}
        self._columns = {False: image, True: mask}
        self._rows: dict[str, tuple[str, int]] = {}
        own: dict[str, tuple[Label, ...]] = {}
        for split, table in self._tables.items():
            for row, value in enumerate(_column(table, labels)):
                own_id = f"{split}_{row:06d}"
                self._rows[own_id] = split, row
                own[own_id] = as_labels(value)
            if id is not None:
                _rename(self._rows, own, split, [str(one) for one in _column(table, id)])
        known = _names(self._tables[TRAIN].features[labels])
        self.class_names = class_names(own, None if classes is None else Path(classes), known)
        values = mask_values(own, self.class_names, self.root)
        ids = {split: [key for key, at in self._rows.items() if at[0] == split] for split in used}
        if VAL not in ids:
            ids = split_by_hash(ids[TRAIN], val_fraction)
        self._items = {
            split: ItemTable.of((Item(key, values[key]) for key in keys), self.root)
            for split, keys in ids.items()
        }

    def _image(self, item: Item) -> tuple[bytes, str]:
        found = self._content(item, False)
        assert found is not None
        return found

    def _mask(self, item: Item) -> tuple[bytes, str] | None:
        return None if self._columns[True] is None else self._content(item, True)

    def _content(self, item: Item, mask: bool) -> tuple[bytes, str] | None:
        """The encoded image or mask of a row: in the table, or in a file that it names."""
        split, row = self._rows[item.id]
        column = self._columns[mask]
        value = self._tables[split][row][column]
        where = f"{self.root}, {split}, row {row}, {column}"
        if value is None:
            return None
        if value["bytes"] is not None:
            return value["bytes"], where
        try:
            return Path(value["path"]).read_bytes(), value["path"]
        except OSError as error:
            raise user_error(
                where, f"the file {value['path']} cannot be read ({error.strerror})",
                "a file that is there", "Save the data set with its images: `save_to_disk`.",
            ) from error  # fmt: skip

    def _samples(self, split: str, masks: bool) -> Iterable[bytes]:
        column = self._columns[masks]
        if column is None:
            return repeat(b"none", len(self._items[split]))
        rows = [self._rows[item_id] for item_id in self._items[split].ids()]
        known = {
            (where, row): one
            for where in {where for where, _ in rows}
            for row, one in enumerate(_samples_of(self._tables[where], column))
        }
        return map(known.__getitem__, rows)


def _opened(path: str) -> dict[str, Any]:
    """The splits of a data set by name; a single one is called `train`."""
    needs_package("datasets", "huggingface")
    from datasets import (  # type: ignore[import-untyped]
        Dataset,
        load_dataset,
        load_from_disk,
    )

    try:
        saved = any((Path(path) / one).is_file() for one in ("state.json", "dataset_dict.json"))
        found = load_from_disk(path) if saved else load_dataset(path)
    # The errors of the library have many types, among them those of the network.
    except Exception as error:
        raise InvalidOptionError(
            "path", path, "a folder written by `save_to_disk`, or a data set of the hub",
            f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
        ) from error  # fmt: skip
    return {"train": found} if isinstance(found, Dataset) else dict(found)


def _encoded(table: Any, columns: Mapping[str, str | None]) -> Any:
    """A table of some columns, by their options, whose images are not decoded."""
    from datasets import Image

    for option, column in columns.items():
        if column is not None and column not in table.column_names:
            raise InvalidOptionError(
                option, column, f"one of {name_some(table.column_names)}",
                f"no such column{did_you_mean(column, table.column_names)}",
            )  # fmt: skip
    table = table.select_columns([*dict.fromkeys(filter(None, columns.values()))])
    for column in filter(None, (columns["image"], columns["mask"])):
        table = table.cast_column(column, Image(decode=False))
    return table


def _column(table: Any, name: str) -> Iterator[Any]:
    """The values of a column."""
    rows = table.select_columns([name])
    for start in range(0, len(rows), ROWS):
        yield from rows[start : start + ROWS][name]


def _samples_of(table: Any, column: str) -> Iterator[bytes]:
    """The `sample` of each row's image, of which the table gives the ends alone."""
    rows = table.select_columns([column]).with_format("arrow")
    for start in range(0, len(rows), ROWS):
        struct = rows[start : start + ROWS].column(column).combine_chunks()
        for content, path in zip(struct.field("bytes"), struct.field("path"), strict=True):
            if content.is_valid:
                encoded = memoryview(content.as_buffer())
                ends = bytes(encoded[:SAMPLED_BYTES]), bytes(encoded[-SAMPLED_BYTES:])
                yield sample(len(encoded), *ends)
            else:
                yield sample_file(Path(path.as_py())) if path.is_valid else b"none"


def _names(feature: Any) -> tuple[str, ...]:
    """The classes that a column knows: of a `ClassLabel`, or a list of them."""
    inner = getattr(feature, "feature", feature)
    return tuple(getattr(inner, "names", None) or ())


def _rename(
    rows: dict[str, tuple[str, int]],
    labels: dict[str, tuple[Label, ...]],
    split: str,
    ids: list[str],
) -> None:
    """Name a split's rows after a column."""
    for row, item_id in enumerate(ids):
        before = f"{split}_{row:06d}"
        if item_id in rows and item_id != before:
            raise InvalidOptionError(
                "id", item_id, "an id for each row", "several rows have the id",
                "Name another column, or none: rows are numbered then.",
            )  # fmt: skip
        rows[item_id], labels[item_id] = rows.pop(before), labels.pop(before)
