"""WebDataset: images and their labels in tar files, read in any order without unpacking."""

import copy
from array import array
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from wsss.argument_checks import check_inside_unit
from wsss.artifacts import fingerprint
from wsss.data.item_table import ItemTable
from wsss.data.sample import Item
from wsss.data.source import SPLITS, TRAIN, VAL
from wsss.data.sources.embedded_source import EmbeddedSource, Fingerprints, fingerprints_of
from wsss.data.sources.folder.splits import positions_by_hash
from wsss.data.sources.label_names import class_names, mask_values
from wsss.data.sources.optional_packages import needs_package
from wsss.data.sources.webdataset.sample_table import NO_PART, Part
from wsss.data.sources.webdataset.shard import Endings, read_part
from wsss.data.sources.webdataset.shard_index import ShardIndex
from wsss.errors import InvalidOptionError

VERSION = 1
"""Of what is kept of a shard."""


class _Content(NamedTuple):
    """What the shards hold."""

    class_names: tuple[str, ...]
    items: dict[str, ItemTable]
    endings: tuple[str, ...]
    """Of images, by their numbers in the places of items."""
    fingerprints: dict[str, Fingerprints]


class WebDataset(EmbeddedSource):
    """Shards of samples `<key>.jpg`, `<key>.json` or `<key>.cls`, optionally `<key>.mask.png`.

    The place of an item is the number of its shard, the number of its image's ending, and begin
    and size of image and mask in bytes.
    """

    def __init__(
        self,
        root: str | Path,
        train: str = "train-*.tar",
        val: str | None = "val-*.tar",
        labels: str = "json:labels",
        mask: str = "mask.png",
        classes: str = "classes.txt",
        val_fraction: float = 0.2,
        name: str | None = None,
    ) -> None:
        """Find the shards, which are files on this machine.

        They are indexed when something of them is asked for: where in them each image begins.

        Args:
            root: the folder that holds the shards.
            train: their names, with `*` or as `train-{000..019}.tar`.
            val: those of the validation split; where there are none, the training shards are split
                by a hash of the keys.
            labels: the ending of the files with labels: `cls`, a class's number from 0 or its name;
                `txt`, a class a line; or `json:<field>`, a name or number, or a list of them.
            mask: the ending of the ground truth, for the evaluation only.
            classes: list of the classes in `root`, the background first; where there is none the
                names in the samples are.
            val_fraction: fraction of validation images where there are no shards of them.
            name: short name of the data set; that of the folder if None.

        Raises:
            WsssError: there are no shards, or, when they are indexed, one cannot be read.
        """
        check_inside_unit(val_fraction=val_fraction)
        needs_package("webdataset", "webdataset")
        self.root = Path(root).expanduser().absolute()
        self.name = name or self.root.name
        if not self.root.is_dir():
            raise InvalidOptionError("root", root, "the folder of the shards", "no such folder")
        shards = {
            split: _paths(self.root, split, names) for split, names in ((TRAIN, train), (VAL, val))
        }
        if not shards[TRAIN]:
            raise InvalidOptionError(
                "train", train, "shards such as `train-*.tar`", f"no such file in {self.root}"
            )
        self._shards = [*shards[TRAIN], *shards[VAL]]
        self._num_train = len(shards[TRAIN])
        self._names = (train, val)
        self._endings = Endings(labels, mask)
        self._classes = self.root / classes
        self._val_fraction = val_fraction

    @cached_property
    def _content(self) -> _Content:
        return self._indexed(ShardIndex(self._endings))

    @property
    def class_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the C classes."""
        return self._content.class_names

    @property
    def _items(self) -> dict[str, ItemTable]:  # type: ignore[override]
        return self._content.items

    @property
    def _fingerprints(self) -> dict[str, Fingerprints]:  # type: ignore[override]
        return self._content.fingerprints

    @property
    def reader(self) -> "WebDataset":
        """This data set without its items, which tell themselves where they are."""
        reader = copy.copy(self)
        none = {split: ItemTable.of((), self.root) for split in SPLITS}
        reader._content = self._content._replace(items=none)
        return reader

    def keep_index(self, folder: Path) -> None:
        """Keep the index in a folder: a later run reads those shards alone that have changed."""
        asked = [VERSION, str(self.root), *self._names, self._endings.labels, self._endings.mask]
        path = folder / f"{fingerprint(asked)}.npz"
        self._content = self._indexed(ShardIndex(self._endings, path))

    def _indexed(self, index: ShardIndex) -> _Content:
        """What is in the shards."""
        rows = [index.add(shard) for shard in self._shards]
        index.save()
        shard_of = array("q", (number for number, own in enumerate(rows) for _ in own))
        samples = index.samples
        names = class_names(samples.labels.different, self._classes)
        values = mask_values(samples.labels, samples.keys, names, self.root)
        items, fingerprints = {}, {}
        for split, chosen in self._splits(rows, samples.keys).items():
            found = (
                (samples.keys[row], values[row], "", "", (shard_of[row], *samples.parts(row)))
                for row in chosen
            )
            items[split] = ItemTable.of_files(found, self.root)
            digests = samples.digests(chosen), samples.digests(chosen, masks=True)
            fingerprints[split] = fingerprints_of(names, items[split], *digests)
        return _Content(names, items, samples.endings, fingerprints)

    def _splits(self, rows: Sequence[range], keys: Sequence[str]) -> dict[str, Sequence[int]]:
        """The rows of each split, of those of each shard."""
        if self._num_train == len(rows):
            return positions_by_hash(keys, self._val_fraction)
        num_train = rows[self._num_train - 1].stop
        return {TRAIN: range(num_train), VAL: range(num_train, len(keys))}

    def _image(self, item: Item) -> tuple[bytes, str]:
        shard, ending, *parts = item.place
        return self._read(shard, Part(*parts[:2]), f"{item.id}.{self._content.endings[ending]}")

    def _mask(self, item: Item) -> tuple[bytes, str] | None:
        shard, _, *parts = item.place
        part = Part(*parts[2:])
        return (
            None if part == NO_PART else self._read(shard, part, f"{item.id}.{self._endings.mask}")
        )

    def _read(self, shard: int, part: Part, name: str) -> tuple[bytes, str]:
        """The content of a file in a shard, and its name for messages."""
        path = self._shards[shard]
        return read_part(path, part), f"{path}/{name}"


def _paths(root: Path, split: str, names: str | None) -> list[Path]:
    """The shards of a name with `*` or braces, sorted; those that are there."""
    from webdataset.shardlists import expand_urls  # type: ignore[import-untyped]

    if names and ("://" in names or names.startswith(("pipe:", "/"))):
        raise InvalidOptionError(
            split, names, "names of files below the folder of the shards",
            "neither addresses nor paths of their own are read",
            "Name the folder as `root`, and fetch there what is elsewhere.",
        )  # fmt: skip
    expanded = expand_urls(names) if names else []
    return sorted({path for one in expanded for path in root.glob(one)})
