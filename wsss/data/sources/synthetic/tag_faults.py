"""Which tags of the synthetic data set are wrong or missing, and which images are copied."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from wsss.data.sources.synthetic.shapes import SHAPES

Labels = tuple[int, ...]
Generator = Callable[[str], np.random.Generator]
"""Random numbers of an image by its id: what is drawn for one depends on no other."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A near copy of an image."""

    original: str
    """Id of the image."""
    labels: Labels
    """Its tags, ascending."""
    differs_by: int | None = None
    """A class that only one of the two is tagged with; None where the tags are the same."""


def chosen(ids: list[str], share: float, rng: np.random.Generator) -> list[str]:
    """A share of images, drawn without replacement; a greater share holds a smaller one's."""
    order = rng.permutation(len(ids))[: round(share * len(ids))]
    return [ids[index] for index in order]


def wrong_tags(
    labels: Mapping[str, Labels], share: float, rng: np.random.Generator, own: Generator
) -> dict[str, tuple[int, int]]:
    """A share of images with the tag that each loses, and the wrong one that it gets for it.

    Args:
        labels: what each image shows, by id.
        share: of those that show anything.
        rng: chooses the images.
        own: chooses the tags of an image.
    """
    found = {}
    for image in chosen([one for one, shown in labels.items() if shown], share, rng):
        draw = own(image)
        found[image] = (_one_of(labels[image], draw), _one_of(_absent(labels[image]), draw))
    return found


def missing_tags(
    labels: Mapping[str, Labels], share: float, rng: np.random.Generator, own: Generator
) -> dict[str, int]:
    """A share of the images with several tags, with the tag that each loses; as `wrong_tags`."""
    several = [one for one, shown in labels.items() if len(shown) > 1]
    return {image: _one_of(labels[image], own(image)) for image in chosen(several, share, rng)}


def copies(
    labels: Mapping[str, Labels], share: float, rng: np.random.Generator, own: Generator
) -> tuple[list[Copy], list[Copy]]:
    """Near copies of a share of images, each of another image: for the same split, for the other.

    Every second one of either has other tags: one less, one more, or one replaced.
    """
    parts: tuple[list[Copy], list[Copy]] = ([], [])
    for number, image in enumerate(chosen([*labels], share, rng)):
        same, (position, part) = labels[image], divmod(number, 2)
        changes = (position + part) % 2 == 0
        parts[part].append(_changed(image, same, own(image)) if changes else Copy(image, same))
    return parts


def _changed(image: str, labels: Labels, rng: np.random.Generator) -> Copy:
    """A copy whose tags differ by a class, or by one for another."""
    lost = {_one_of(labels, rng)} if labels else set()
    new = _one_of(_absent(labels), rng)
    ways: list[tuple[set[int], set[int], int]] = [({new}, set(), new), ({new}, lost, new)]
    if len(labels) > 1:
        ways.append((set(), lost, next(iter(lost))))
    gained, gone, differs_by = ways[rng.integers(len(ways))]
    return Copy(image, tuple(sorted({*labels} - gone | gained)), differs_by)


def _absent(labels: Labels) -> Labels:
    """The other classes' labels; all where every class is there."""
    every = range(1, len(SHAPES) + 1)
    return tuple(label for label in every if label not in labels) or tuple(every)


def _one_of(labels: Labels, rng: np.random.Generator) -> int:
    return labels[rng.integers(len(labels))]
