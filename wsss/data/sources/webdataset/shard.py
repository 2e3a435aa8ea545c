"""One shard: its samples, from the headers of a tar file."""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from wsss.data.images import IMAGE_SUFFIXES
from wsss.data.sources.file_digests import NO_DIGEST, sample_part
from wsss.data.sources.label_names import as_labels
from wsss.data.sources.label_table import Label
from wsss.data.sources.webdataset.sample_table import NO_PART, Part, Sample
from wsss.errors import user_error


@dataclass(frozen=True, slots=True)
class Endings:
    """Which files of a sample are what, by what follows the first point of their names."""

    labels: str = "json:labels"
    """Ending, and field of JSON, of the labels."""
    mask: str = "mask.png"

    @property
    def label_file(self) -> str:
        """Ending of the file with labels."""
        return self.labels.partition(":")[0]


@dataclass(slots=True)
class _Found:
    ending: str = ""
    image: Part = NO_PART
    mask: Part = NO_PART
    labels: tuple[Label, ...] = ()


def read_shard(shard: Path, endings: Endings) -> Iterator[Sample]:
    """Samples of a shard that have an image, in their order.

    Read are headers, labels, and both ends of images and masks; nothing is decoded.

    Raises:
        WsssError: it is no tar file, or labels are not of their form.
    """
    from webdataset.tariterators import base_plus_ext  # type: ignore[import-untyped]

    found: dict[str, _Found] = {}
    try:
        with shard.open("rb") as stream:
            with tarfile.open(shard, "r:") as archive:
                for member in archive:
                    key, ending = base_plus_ext(member.name)
                    if not member.isfile() or key is None or Path(key).name.startswith("."):
                        continue
                    one = found.setdefault(key, _Found())
                    part = Part(member.offset_data, member.size)
                    if ending == endings.mask:
                        one.mask = part
                    elif f".{ending.lower()}" in IMAGE_SUFFIXES:
                        one.ending, one.image = ending, part
                    elif ending == endings.label_file:
                        stream.seek(part.start)
                        name = f"{shard}/{member.name}"
                        one.labels = _labels(stream.read(part.size), name, endings.labels)
            for key, one in found.items():
                if one.image != NO_PART:
                    digests = _digest(stream, one.image), _digest(stream, one.mask)
                    yield Sample(key, one.labels, one.ending, one.image, one.mask, *digests)
    except (tarfile.TarError, OSError) as error:
        raise user_error(
            shard, f"no readable tar file ({error})", "an uncompressed .tar of WebDataset",
            "Unpack it if it is compressed, or fetch it again.",
        ) from error  # fmt: skip


def read_part(shard: Path, part: Part) -> bytes:
    """The content of a file in a shard."""
    with shard.open("rb") as stream:
        stream.seek(part.start)
        return stream.read(part.size)


def _digest(stream: BinaryIO, part: Part) -> bytes:
    return NO_DIGEST if part == NO_PART else sample_part(stream, part.start, part.size)


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
