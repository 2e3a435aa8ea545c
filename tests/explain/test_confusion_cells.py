"""Cells of confusion, by rules that can be followed by hand, and by counts of pixels."""

import numpy as np
import pytest

from wsss.explain.summary.confusion_cells import (
    NONE,
    cells,
    cells_of_pixels,
    pairs_of_tags,
    tag_matrix,
)
from wsss.metrics.confusion import confusion_matrix


@pytest.mark.parametrize(
    ("tags", "seen", "pairs"),
    [
        ([1], {1}, [(1, 1)]),
        ([1], set(), [(1, NONE)]),
        ([1], {2}, [(1, 2)]),
        ([1, 2], {2, 5}, [(2, 2), (1, 5)]),
        ([1, 2], {1, 2, 5}, [(1, 1), (2, 2), (1, 5), (2, 5)]),
        ([1, 2], {4, 5}, [(1, 4), (1, 5), (2, 4), (2, 5)]),
        ([], {3}, [(NONE, 3)]),
        ([], set(), []),
    ],
)
def test_tags_and_what_is_seen(tags, seen, pairs):
    assert pairs_of_tags(tags, seen) == pairs


def test_cells_have_their_images_the_most_frequent_and_the_most_wrong_first():
    found = cells(
        [
            ("a", {(1, 1): 0.0, (1, 2): 0.6}),
            ("b", {(1, 2): 0.9}),
            ("c", {(2, NONE): 0.7}),
            ("d", {(1, 2): 0.6, (2, 2): 0.0}),
        ]
    )
    assert [(cell.true, cell.seen, cell.count, cell.images) for cell in found] == [
        (1, 2, 3, ("b", "a", "d")),
        (2, NONE, 1, ("c",)),
    ]


def test_the_matrix_counts_images_with_no_tag_and_nothing_last():
    matrix = tag_matrix([[(1, 1), (1, 2)], [(2, NONE)], [(NONE, 1)], [(1, 1)]], 2)
    np.testing.assert_array_equal(matrix, [[2, 1, 0], [0, 0, 1], [1, 0, 0]])


def test_pixels_are_counted_as_the_evaluation_does():
    truth = np.array([[0, 0, 1, 1], [0, 0, 1, 255]], dtype=np.uint8)
    first = np.array([[0, 2, 1, 2], [0, 0, 2, 2]], dtype=np.uint8)
    second = np.array([[0, 0, 1, 1], [0, 0, 2, 255]], dtype=np.uint8)
    counts = {"a": confusion_matrix(first, truth, 2), "b": confusion_matrix(second, truth, 2)}
    found = cells_of_pixels(counts, least=0.2)
    assert [(cell.true, cell.seen, cell.count, cell.images) for cell in found] == [
        (1, 2, 3, ("a",)),  # 2 of 7 pixels; of b one of 7
        (0, 2, 1, ()),
    ]
