"""WebDataset: images and their labels in tar files, read in any order without unpacking."""

import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from wsss.argument_checks import check_inside_unit
from wsss.data.images import IMAGE_SUFFIXES
from wsss.data.item_table import ItemTable
from wsss.data.sample import Item
from wsss.data.source import TRAIN, VAL
from wsss.data.sources.embedded_source import EmbeddedSource
from wsss.data.sources.file_digests import sample_part
from wsss.data.sources.folder.splits import split_by_hash
from wsss.data.sources.label_names import Label, as_labels, class_names, mask_values
from wsss.data.sources.optional_packages import needs_package
from wsss.errors import InvalidOptionError, user_error


@dataclass(frozen=True, slots=True)
class Part:
    """A file in a shard."""

    shard: Path
    name: str
    start: int
    """Its first byte in the shard."""
    size: int

    def read(self) -> tuple[bytes, str]:
        """Its content, and its name for messages."""
        with self.shard.open("rb") as stream:
            stream.seek(self.start)
            return stream.read(self.size), f"{self.shard}/{self.name}"


@dataclass(slots=True)
class _Sample:
    image: Part | None = None
    mask: Part | None = None
    labels: tuple[Label, ...] = ()


@dataclass(slots=True)
class _Shards:
    """Samples by their key, the path in the shard up to the first point of the name."""

    mask: str
    labels: str
    samples: dict[str, _Sample] = field(default_factory=dict)

    def add(self, shard: Path) -> list[str]:
        """Index a shard; its header alone is read, and the labels. Returns its keys."""
        from webdataset.tariterators import (  # type: ignore[import-untyped]
            base_plus_ext,
        )

        own: dict[str, _Sample] = {}
        try:
            with tarfile.open(shard, "r:") as archive:
                for member in archive:
                    key, ending = base_plus_ext(member.name)
                    if not member.isfile() or key is None or Path(key).name.startswith("."):
                        continue
                    sample = own.setdefault(key, _Sample())
                    part = Part(shard, member.name, member.offset_data, member.size)
                    if ending == self.mask:
                        sample.mask = part
                    elif f".{ending.lower()}" in IMAGE_SUFFIXES:
                        sample.image = part
                    elif ending == self.labels.partition(":")[0]:
                        sample.labels = _labels(*part.read(), self.labels)
        except (tarfile.TarError, OSError) as error:
            raise user_error(
                shard, f"no readable tar file ({error})", "an uncompressed .tar of WebDataset",
                "Unpack it if it is compressed, or fetch it again.",
            ) from error  # fmt: skip
        if twice := own.keys() & self.samples.keys():
            raise user_error(
                shard, f"the sample '{min(twice)}' is in another shard, too", "keys that differ",
                "Give every sample a key of its own; results are named after them.",
            )  # fmt: skip
        self.samples |= own
        return [key for key, sample in own.items() if sample.image is not None]


class WebDataset(EmbeddedSource):
    """Shards of samples `<key>.jpg`, `<key>.json` or `<key>.cls`, optionally `<key>.mask.png`."""

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
        """Index the shards: where in them each image begins. No image is read.

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
            WsssError: there are no shards, or one cannot be read.
        """
        check_inside_unit(val_fraction=val_fraction)
        needs_package("webdataset", "webdataset")
        self.root = Path(root).expanduser().absolute()
        self.name = name or self.root.name
        if not self.root.is_dir():
            raise InvalidOptionError("root", root, "the folder of the shards", "no such folder")
        index = _Shards(mask, labels)
        shards = {TRAIN: _paths(self.root, train), VAL: _paths(self.root, val)}
        if not shards[TRAIN]:
            raise InvalidOptionError(
                "train", train, "shards such as `train-*.tar`", f"no such file in {self.root}"
            )
        ids = {
            split: [key for one in paths for key in index.add(one)]
            for split, paths in shards.items()
        }
        if not shards[VAL]:
            ids = split_by_hash(ids[TRAIN], val_fraction)
        found = {key: index.samples[key] for split in ids.values() for key in split}
        own = {key: sample.labels for key, sample in found.items()}
        self.class_names = class_names(own, self.root / classes)
        values = mask_values(own, self.class_names, self.root)
        self._images = {key: one.image for key, one in found.items() if one.image}
        self._masks = {key: one.mask for key, one in found.items() if one.mask}
        self._items = {
            split: ItemTable.of((Item(key, values[key]) for key in keys), self.root)
            for split, keys in ids.items()
        }

    def _image(self, item: Item) -> tuple[bytes, str]:
        return self._images[item.id].read()

    def _mask(self, item: Item) -> tuple[bytes, str] | None:
        return self._masks[item.id].read() if item.id in self._masks else None

    def _samples(self, split: str, masks: bool) -> Iterable[bytes]:
        parts = self._masks if masks else self._images
        found = map(parts.get, self._items[split].ids())
        for shard, some in groupby(found, lambda part: part.shard if part else None):
            if shard is None:
                yield from (b"none" for _ in some)
                continue
            with shard.open("rb") as stream:
                yield from (sample_part(stream, one.start, one.size) for one in some if one)


def _paths(root: Path, names: str | None) -> list[Path]:
    """The shards of a name with `*` or braces, sorted; those that are there."""
    from webdataset.shardlists import expand_urls  # type: ignore[import-untyped]

    expanded = expand_urls(names) if names else []
    return sorted({path for one in expanded for path in root.glob(one)})


def _labels(content: bytes, name: str, form: str) -> tuple[Label, ...]:
    """The labels of a sample, from the content of its file."""
    ending, _, key = form.partition(":")
    try:
        text = content.decode()
        if ending == "json":
            found: Any = json.loads(text)
            return as_labels(found.get(key) if key else found)
        if ending == "txt":
            return as_labels([line for line in text.splitlines() if line.strip()])
        return as_labels(int(text) if text.strip().isdecimal() else text.strip())
    except (ValueError, AttributeError) as error:
        raise user_error(
            name, f"unreadable labels ({error})", f"labels as `labels={form}` says",
            "Correct the sample, or name the form of its labels.",
        ) from error  # fmt: skip
