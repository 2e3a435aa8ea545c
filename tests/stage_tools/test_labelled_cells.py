"""Cells of feature maps and the shares of their labels."""

import numpy as np
import pytest
import torch

from wsss.data.sample import Item
from wsss.files import DamagedFileError
from wsss.stage_tools.labelled_cells import Cells, CellStore, draw_cells, shares_of_cells

VOID = 255


def test_shares_are_those_of_the_labelled_pixels_below_a_cell():
    mask = np.random.default_rng(0).choice(np.uint8([0, 1, 3, VOID]), size=(8, 12))
    mask[:4, :4] = VOID
    found = shares_of_cells(mask, (2, 3), 4)
    for row in range(2):
        for column in range(3):
            pixels = mask[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
            counts = np.array([(pixels == label).sum() for label in range(4)])
            expected = counts / max(1, counts.sum())
            np.testing.assert_allclose(found[row, column], expected, atol=1e-6)
    assert not found[0, 0].any()
    assert not found[..., 2].any()


def test_cells_are_drawn_once_each_and_only_where_there_are_labels():
    maps = torch.arange(48, dtype=torch.float32).view(2, 4, 6)
    shares = np.zeros((4, 6, 2), dtype=np.float32)
    shares[:3, :, 1] = 1
    cells = draw_cells(maps, shares, 10, seed=5)
    numbers = cells.features[:, 0].tolist()
    assert len({*numbers}) == 10
    assert max(numbers) < 18
    assert (cells.shares == [0, 1]).all()
    assert cells.features.flags.c_contiguous  # Else batches of cells are read ten times as slowly.
    assert draw_cells(maps, shares, 10, seed=5).features[:, 0].tolist() == numbers
    assert draw_cells(maps, shares, 10, seed=6).features[:, 0].tolist() != numbers
    assert sorted(draw_cells(maps, shares, 99, seed=5).features[:, 0]) == [*range(18)]


def test_cells_are_read_as_they_were_written(tmp_path):
    store, item = CellStore(tmp_path), Item("one", labels=(1,))
    cells = Cells(np.float16([[1.5, 2]]), np.float16([[0.25, 0.75]]))
    store.write(item, cells)
    for one, other in zip(store.read(item), cells, strict=True):
        assert one.dtype == np.float16
        np.testing.assert_array_equal(one, other)
    store.path(item).write_bytes(store.path(item).read_bytes()[:-9])
    with pytest.raises(DamagedFileError):
        store.read(item)
