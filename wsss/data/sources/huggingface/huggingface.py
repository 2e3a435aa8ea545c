"""Hugging Face `datasets`: images in columns of Arrow tables, read in any order."""

import copy
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import repeat
from pathlib import Path

from wsss.argument_checks import check_inside_unit
from wsss.artifacts import fingerprint
from wsss.data.item_table import ItemTable
from wsss.data.sample import Item
from wsss.data.source import SPLITS, TRAIN, VAL
from wsss.data.sources.embedded_source import EmbeddedSource, Fingerprints, fingerprints_of
from wsss.data.sources.file_digests import NO_DIGEST
from wsss.data.sources.folder.splits import positions_by_hash
from wsss.data.sources.huggingface.row_digests import row_digests
from wsss.data.sources.huggingface.tables import (
    encoded,
    known_names,
    opened_tables,
    read_rows,
)
from wsss.data.sources.label_names import class_names, mask_values
from wsss.errors import InvalidOptionError, user_error
from wsss.wording import did_you_mean, name_some

VERSION = 1
"""Of what is kept of tables."""


class HuggingFace(EmbeddedSource):
    """A data set of the library `datasets` with a column of images and one of labels.

    The place of an item is its row, those of the validation table counted after those of the other.
    """

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
            val: name of the validation split; where it is None, or there is no other split, the
                training split is split by a hash of the ids.
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
        folder = Path(path).expanduser().absolute()
        self.root = folder if folder.exists() else Path(path)
        tables = opened_tables(str(path))
        if train not in tables:
            raise InvalidOptionError(
                "train", train, f"one of the splits {name_some([*tables])}",
                f"no such split{did_you_mean(train, tables)}",
            )  # fmt: skip
        others = [name for name in tables if name != train]
        if val is not None and others and val not in others:
            raise InvalidOptionError(
                "val", val, f"one of the splits {name_some(others)}, or null to split {train}",
                f"no such split{did_you_mean(val, others)}",
            )  # fmt: skip
        used = {TRAIN: tables[train], **({VAL: tables[val]} if val in tables else {})}
        columns = {"image": image, "labels": labels, "mask": mask, "id": id}
        self._tables = {split: encoded(table, columns) for split, table in used.items()}
        self._columns = {False: image, True: mask}
        ids, tags = read_rows(self._tables, labels, id)
        known = known_names(self._tables[TRAIN].features[labels])
        self.class_names = class_names(
            tags.different, None if classes is None else Path(classes), known
        )
        values = mask_values(tags, ids, self.class_names, self.root)
        num_train = self._num_train = len(self._tables[TRAIN])
        rows: Mapping[str, Sequence[int]] = (
            {TRAIN: range(num_train), VAL: range(num_train, len(ids))}
            if VAL in used
            else positions_by_hash(ids, val_fraction)
        )
        self._items = {
            split: ItemTable.of_files(
                ((ids[row], values[row], "", "", (row,)) for row in own), self.root
            )
            for split, own in rows.items()
        }

    @property
    def address(self) -> str:
        """That of the folder; of a data set of the hub its name there."""
        return super().address if self.root.is_absolute() else f"hf://datasets/{self.root}"

    @property
    def reader(self) -> "HuggingFace":
        """This data set without its items, which tell themselves where they are."""
        reader = copy.copy(self)
        reader._items = {split: ItemTable.of((), self.root) for split in SPLITS}
        return reader

    @cached_property
    def _fingerprints(self) -> dict[str, Fingerprints]:  # type: ignore[override]
        return self._fingerprints_of(None)

    def keep_index(self, folder: Path) -> None:
        """Keep digests of the images in a folder: a later run reads them again if tables changed.

        Ids and labels are read at each start.
        """
        asked = [VERSION, str(self.root), *self._tables, *map(str, self._columns.values())]
        self._fingerprints = self._fingerprints_of(folder / f"{fingerprint(asked)}.npz")

    def _fingerprints_of(self, path: Path | None) -> dict[str, Fingerprints]:
        names = dict.fromkeys(name for name in self._columns.values() if name is not None)
        known = row_digests(self._tables.values(), names, path)
        found = {}
        for split, items in self._items.items():
            images, masks = (
                repeat(NO_DIGEST, len(items)) if name is None
                else known[name].of_rows(row for (row,) in items.places())
                for name in (self._columns[False], self._columns[True])
            )  # fmt: skip
            found[split] = fingerprints_of(self.class_names, items, images, masks)
        return found

    def _image(self, item: Item) -> tuple[bytes, str]:
        found = self._content(item, False)
        assert found is not None
        return found

    def _mask(self, item: Item) -> tuple[bytes, str] | None:
        return None if self._columns[True] is None else self._content(item, True)

    def _content(self, item: Item, mask: bool) -> tuple[bytes, str] | None:
        """The encoded image or mask of a row: in the table, or in a file that it names."""
        (row,) = item.place
        split = TRAIN if row < self._num_train else VAL
        row -= 0 if split == TRAIN else self._num_train
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
