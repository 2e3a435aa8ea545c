"""Where the faults of a synthetic data set are."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import TypeVar

import numpy as np

from wsss.data.source import SPLITS, TRAIN
from wsss.data.sources.synthetic.backdrops import BACKDROPS
from wsss.data.sources.synthetic.faults import (
    CONTEXT_BIAS,
    CORNER_STAMP,
    DUPLICATES,
    FAULTS,
    MISSING_TAGS,
    WRONG_TAGS,
    Faults,
    Planted,
)
from wsss.data.sources.synthetic.scene import Scene, place_tells
from wsss.data.sources.synthetic.shapes import SHAPES
from wsss.data.sources.synthetic.tag_faults import (
    Copy,
    Labels,
    chosen,
    copies,
    missing_tags,
    wrong_tags,
)

_STREAMS = 1000
"""Added to the number of a kind of fault, so that its random numbers are none of the images'."""
_NAMES = tuple(shape.name for shape in SHAPES)

Found = TypeVar("Found")


def parse(item_id: str) -> tuple[int, int]:
    """Number of the split and of the image in it."""
    split, _, index = item_id.rpartition("_")
    return SPLITS.index(split), int(index)


class Planting:
    """Chooses images and tags for every kind of fault, when it is first asked for one."""

    def __init__(self, faults: Faults, seed: int, shown: Callable[[str], Mapping[str, Labels]]):
        """Choose nothing yet.

        Args:
            faults: how much of what.
            seed: of all choices.
            shown: what the images of a split show, by id, near copies excepted.
        """
        self.faults, self.seed = faults, seed
        self._shown = shown

    @cached_property
    def wrong_tags(self) -> dict[str, tuple[int, int]]:
        """By image, the tag that is replaced and the wrong one."""
        return self._plan(WRONG_TAGS, wrong_tags) if self.faults.wrong_tags else {}

    @cached_property
    def missing_tags(self) -> dict[str, int]:
        """By image, the tag that is missing."""
        return self._plan(MISSING_TAGS, missing_tags) if self.faults.missing_tags else {}

    @cached_property
    def copies(self) -> dict[str, Copy]:
        """The near copies by their ids, which go on where those of the images of a split end."""
        if not self.faults.duplicates:
            return {}
        return {
            f"{split}_{number:04d}": copy
            for split, some in zip(SPLITS, self._plan(DUPLICATES, copies), strict=True)
            for number, copy in enumerate(some, start=len(self._shown(split)))
        }

    @cached_property
    def stamped(self) -> frozenset[str]:
        """The images with a watermark."""
        share, label = self.faults.corner_stamp, _label(self.faults.stamp_class)
        found: list[str] = []
        for split in SPLITS if share else ():
            bearers = [name for name, shown in self._shown(split).items() if label in shown]
            found += chosen(bearers, share, self.rng(CORNER_STAMP, split))
        return frozenset(found)

    def tags(self, split: str) -> dict[str, Labels]:
        """The tags of all images of a split by id, near copies at the end."""
        own = {name: self._tagged(name, shown) for name, shown in self._shown(split).items()}
        return own | {
            name: copy.labels
            for name, copy in self.copies.items()
            if SPLITS[parse(name)[0]] == split
        }

    def placed(self, scene: Scene, name: str) -> Scene:
        """The scene of an image, at the place that tells of `context_class` if so it is drawn."""
        rng = self.rng(CONTEXT_BIAS, name)
        if rng.random() >= self.faults.context_bias:
            return scene
        return place_tells(scene, _label(self.faults.context_class), rng)

    def planted(self) -> Sequence[Planted]:
        """All faults, kind by kind."""
        name = dict(enumerate(_NAMES, start=1))
        found = [
            Planted(WRONG_TAGS, image, name[wrong], name[lost])
            for image, (lost, wrong) in sorted(self.wrong_tags.items())
        ]
        found += [
            Planted(MISSING_TAGS, image, name[label])
            for image, label in sorted(self.missing_tags.items())
        ]
        found += [
            Planted(CORNER_STAMP, image, self.faults.stamp_class) for image in sorted(self.stamped)
        ]
        if self.faults.context_bias:
            own = self.faults.context_class
            found.append(Planted(CONTEXT_BIAS, None, own, BACKDROPS[_label(own) - 1].name))
        found += [
            Planted(DUPLICATES, image, name.get(copy.differs_by or 0), copy.original)
            for image, copy in self.copies.items()
        ]
        return found

    def rng(self, kind: str, place: str) -> np.random.Generator:
        """Random numbers of a kind of fault for an image, or for the choice among a split's."""
        stream = _STREAMS + FAULTS.index(kind)
        numbers = [0, SPLITS.index(place)] if place in SPLITS else [1, *parse(place)]
        return np.random.default_rng([self.seed, stream, *numbers])

    def _plan(self, kind: str, plan: Callable[..., Found]) -> Found:
        """What is planted in the training images."""
        own = partial(self.rng, kind)
        return plan(self._shown(TRAIN), getattr(self.faults, kind), own(TRAIN), own)

    def _tagged(self, name: str, shown: Labels) -> Labels:
        """The tags of an image that shows these classes."""
        tags = {*shown} - {self.missing_tags.get(name)}
        if name in self.wrong_tags:
            lost, wrong = self.wrong_tags[name]
            tags = tags - {lost} | {wrong}
        return tuple(sorted(tags))


def _label(class_name: str) -> int:
    return _NAMES.index(class_name) + 1
