"""What is taken for what: the cells of a confusion matrix, with the images in each."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

NONE = 0
"""In place of a class: no tag, or nothing seen; of masks it is background."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of confusion."""

    true: int
    """The tag, or the true label."""
    seen: int
    count: int
    """Images, or pixels."""
    images: tuple[str, ...]
    """Ids, the most wrong first."""


def pairs_of_tags(tags: Sequence[int], seen: Collection[int]) -> list[tuple[int, int]]:
    """The cells (tag, class seen) that an image is in, by its tags alone.

    A tag that is seen is right: (tag, tag). An untagged class that is seen is taken for the tags
    that are missed; if none is, for all tags, since tags do not say for which; of an image without
    tags for nothing. A missed tag in whose place no other class is seen is (tag, nothing).

    Args:
        tags: labels 1…C.
        seen: labels of the classes seen.

    Example:
        >>> pairs_of_tags([1, 2], {2, 5})
        [(2, 2), (1, 5)]
    """
    right = [(tag, tag) for tag in tags if tag in seen]
    missed = [tag for tag in tags if tag not in seen]
    others = sorted(label for label in seen if label not in tags)
    rows = missed or [*tags] or [NONE]
    if not others:
        return right + [(tag, NONE) for tag in missed]
    return right + [(row, label) for row in rows for label in others]


def cells(found: Iterable[tuple[str, Mapping[tuple[int, int], float]]]) -> list[Cell]:
    """The cells beside the diagonal, those with the most images first.

    Args:
        found: of each image its id, and how wrong it is in each cell that it is in.
    """
    images: dict[tuple[int, int], list[tuple[float, str]]] = {}
    for item_id, pairs in found:
        for (true, seen), wrongness in pairs.items():
            if true != seen:
                images.setdefault((true, seen), []).append((-wrongness, item_id))
    return in_order(
        Cell(*pair, len(of_pair), tuple(item_id for _, item_id in sorted(of_pair)))
        for pair, of_pair in images.items()
    )


def cells_of_pixels(counts: Mapping[str, Int64[np.ndarray, "c1 c2"]], least: float) -> list[Cell]:
    """The cells beside the diagonal of images' confusion matrices, those with most pixels first.

    Args:
        counts: of each image by its id, pixels by true and predicted label; further columns, of
            pixels without a prediction, are left out.
        least: share of an image's pixels from which it is one of a cell's images.
    """
    total: dict[tuple[int, int], int] = {}
    images: dict[tuple[int, int], list[tuple[float, str]]] = {}
    for item_id, matrix in counts.items():
        square = matrix[:, : len(matrix)]
        pixels = max(1, int(square.sum()))
        for true, seen in np.argwhere(square).tolist():
            if true == seen:
                continue
            number = int(square[true, seen])
            total[true, seen] = total.get((true, seen), 0) + number
            if number / pixels >= least:
                images.setdefault((true, seen), []).append((-number / pixels, item_id))
    return in_order(
        Cell(*pair, count, tuple(item_id for _, item_id in sorted(images.get(pair, []))))
        for pair, count in total.items()
    )


def in_order(found: Iterable[Cell]) -> list[Cell]:
    """The most frequent first."""
    return sorted(found, key=lambda one: (-one.count, one.true, one.seen))


def tag_matrix(
    pairs: Iterable[Iterable[tuple[int, int]]], num_classes: int
) -> Int64[np.ndarray, "c1 c1"]:
    """Images by tag (row) and class seen (column); no tag and nothing seen are the last ones.

    Args:
        pairs: the cells of each image.
        num_classes: C.
    """
    counts = np.zeros((num_classes + 1, num_classes + 1), dtype=np.int64)
    for of_image in pairs:
        for true, seen in of_image:
            counts[(true or num_classes + 1) - 1, (seen or num_classes + 1) - 1] += 1
    return counts
