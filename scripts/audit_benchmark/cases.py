"""The faults that are planted one at a time, and what an audit should find of each."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from wsss.data.source import SPLITS, TRAIN
from wsss.data.sources.synthetic import Planted, Synthetic

Key = Hashable
"""What a finding is about: an image and a class, a pair of images, or a class."""


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of fault."""

    check: str
    """The check of the audit that should find it."""
    words: tuple[str, ...]
    """Settings that plant it."""
    aim: float
    """Least precision at the number of planted faults."""


CLEAN = "clean"
CASES = {
    "wrong_tags": Case("wrong_tag", ("data.faults.wrong_tags=0.05",), 0.8),
    "missing_tags": Case("missing_tag", ("data.faults.missing_tags=0.25",), 0.6),
    "corner_stamp": Case("fixed_position", ("data.faults.corner_stamp=0.5",), 0.8),
    "context_bias": Case("background_evidence", ("data.faults.context_bias=0.95",), 0.6),
    "duplicates": Case("near_duplicate", ("data.faults.duplicates=0.1",), 0.95),
}
"""By the name of the fault in `wsss.data.sources.synthetic.faults`."""


def planted_keys(source: Synthetic) -> list[Key]:
    """What the check of the planted fault should find, each once.

    Of watermarks those of training images, which are what a network learns from. Near copies with
    the same tags in the same split are harmless: they are planted to see that they are let be.
    """
    splits = {item.id: split for split in SPLITS for item in source.items(split)}
    return [_key(one) for one in source.planted() if _counts(one, splits)]


def found_keys(check: str, findings: Sequence[dict[str, Any]]) -> list[Key]:
    """What the findings of a check in `audit.json` are about, best first, each once."""
    keys: dict[Key, None] = {}
    for one in findings:
        if check == "near_duplicate":
            keys[frozenset((one["image"], one["other"]))] = None
        elif check == "background_evidence":
            keys[one["label"]] = None
        elif check != "fixed_position" or one["split"] == TRAIN:
            keys[one["image"], one["label"]] = None
    return list(keys)


def _counts(one: Planted, splits: dict[str, str]) -> bool:
    if one.kind == "corner_stamp":
        return splits[str(one.image)] == TRAIN
    if one.kind == "duplicates":
        return one.label is not None or splits[str(one.image)] != splits[str(one.other)]
    return True


def _key(one: Planted) -> Key:
    if one.kind == "duplicates":
        return frozenset((one.image, one.other))
    return one.label if one.kind == "context_bias" else (one.image, one.label)
