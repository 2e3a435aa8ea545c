"""Products of sparse matrices against dense ones in float64."""

import numpy as np
import pytest
import torch

from wsss.refine.dense_crf.sparse_rows import SparseRows, balanced, compressed, product


def random_matrix(counts, num_columns=40):
    rng = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    columns = rng.integers(0, num_columns, offsets[-1]).astype(np.int32)
    weights = rng.normal(size=offsets[-1]).astype(np.float32)
    dense = np.zeros((len(counts), num_columns))
    np.add.at(dense, (np.repeat(np.arange(len(counts)), counts), columns), weights)
    return SparseRows(*map(torch.from_numpy, (columns, weights, offsets))), dense


@pytest.mark.parametrize("num_channels", [1, 2, 3, 8, 21])
def test_a_product_is_that_of_the_dense_matrix(num_channels):
    matrix, dense = random_matrix([0, 3, 1, 17, 0, 6])
    values = torch.randn(40, num_channels)
    np.testing.assert_allclose(product(matrix, values), dense @ values.double().numpy(), atol=1e-5)


@pytest.mark.parametrize("counts", [[3, 0, 5], [4], [100, 0, 1, 5, 17, 0], [0, 0], []])
def test_long_rows_are_summed_in_pieces(counts):
    matrix, dense = random_matrix(counts)
    factors = balanced(matrix, longest=4)
    assert all(int(factor.offsets.diff().max()) <= 4 for factor in factors if counts)
    assert len(factors) == {3: 2, 1: 1, 6: 4, 2: 1, 0: 1}[len(counts)]
    values = torch.randn(40, 3)
    found = values
    for factor in factors:
        found = product(factor, found)
    np.testing.assert_allclose(found, dense @ values.double().numpy(), atol=1e-5)


def test_rows_hold_what_exists():
    columns = torch.tensor([[0, 2, 1], [1, 0, 0], [2, 1, 0]], dtype=torch.int32)
    exists = torch.tensor([[True, True, False], [False, False, False], [True, True, True]])
    matrix = compressed(columns, torch.tensor([1, 0.5, 0.25]), exists)
    dense = torch.tensor([[1, 0, 0.5], [0, 0, 0], [0.25, 0.5, 1]])
    torch.testing.assert_close(product(matrix, torch.eye(3)), dense)
