import numpy as np
import pytest

from wsss.report.confusion_picture import MAX_CELL_PX, confusion_picture, row_shares


def test_rows_are_shares_of_the_true_label():
    counts = np.array([[3, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(row_shares(counts), [[0.75, 0.25, 0], [0, 0, 0]])


@pytest.mark.parametrize("num_labels", [3, 21, 81])
def test_a_cell_is_the_darker_the_larger_its_share(num_labels):
    counts = np.zeros((num_labels, num_labels + 1), dtype=np.int64)
    np.fill_diagonal(counts, 5)
    counts[1] = [3, 1, *[0] * (num_labels - 1)]
    labels = [f"label {index}" for index in range(num_labels)]
    picture = confusion_picture(labels, counts).astype(int)
    assert picture.dtype.kind == "i"
    height, width, _ = picture.shape
    assert max(height, width) < 1100
    cell = (width - height) or MAX_CELL_PX  # One column more than rows.
    left = width - 8 - (num_labels + 1) * cell
    top = height - 8 - num_labels * cell

    def corner(row, column):
        return picture[top + row * cell + 1, left + column * cell + 1].sum()

    assert corner(0, 0) < corner(1, 0) < corner(1, 1) < corner(0, 1) == 3 * 255
    assert corner(num_labels - 1, num_labels - 1) == corner(0, 0)


def test_columns_may_be_others_than_the_rows():
    """A square matrix has no column more, and the longest of all names makes the margin."""
    counts = np.eye(3, dtype=np.int64)
    names = ["cat", "dog", "no tag"]
    picture = confusion_picture(names, counts, ["cat", "dog", "nothing at all"])
    assert picture.shape[0] == picture.shape[1]
    assert picture.shape[1] > confusion_picture(names, counts, names).shape[1]
