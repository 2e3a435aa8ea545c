"""Sparse matrix products by gathering: deterministic, without atomics."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float32, Int32
from torch import Tensor

LONGEST = 64
"""Most entries of a row that one GPU thread sums (`balanced`)."""


class SparseRows(NamedTuple):
    """A sparse matrix [r, n] in CSR format, with less than 2^31 entries."""

    columns: Int32[Tensor, " e"]
    """The column of each entry."""
    weights: Float32[Tensor, " e"]
    """Its value."""
    offsets: Int32[Tensor, " r1"]
    """Start of each row's entries; then their total number."""


def product(matrix: SparseRows, values: Float32[Tensor, "n c"]) -> Float32[Tensor, "r c"]:
    """Matrix times values, in one kernel launch; a GPU thread sums one row and channel in order."""
    return F.embedding_bag(
        matrix.columns,
        values,
        matrix.offsets,
        mode="sum",
        per_sample_weights=matrix.weights,
        include_last_offset=True,
    )


def balanced(matrix: SparseRows, longest: int = LONGEST) -> tuple[SparseRows, ...]:
    """Factors of the matrix, to be applied in order, with at most `longest` entries a row.

    A vertex of a flat region sums ten thousand pixels, too many for one thread. Its row is split
    into pieces, which another matrix sums.
    """
    counts = matrix.offsets.diff()
    if len(counts) == 0 or int(counts.max()) <= longest:
        return (matrix,)
    pieces = (counts + (longest - 1)) // longest
    ends = _offsets(pieces)
    row = torch.repeat_interleave(pieces)
    number = torch.arange(len(row), device=row.device, dtype=torch.int32)
    starts = matrix.offsets[row] + longest * (number - ends[row])
    offsets = torch.cat([starts, matrix.offsets[-1:]])
    sums = SparseRows(number, torch.ones_like(number, dtype=torch.float32), ends)
    return (matrix._replace(offsets=offsets), *balanced(sums, longest))


def compressed(
    columns: Int32[Tensor, "r k"], weights: Float32[Tensor, " k"], exists: Tensor
) -> SparseRows:
    """Rows of `k` entries, of which those that exist (bool [r, k]) are kept; equal weights."""
    return SparseRows(
        columns[exists], weights.expand(columns.shape)[exists], _offsets(exists.sum(dim=1))
    )


def _offsets(counts: Tensor) -> Int32[Tensor, " r1"]:
    """Zero, then the running sum."""
    return F.pad(counts.cumsum(dim=0), (1, 0)).to(torch.int32)
