"""Sparse matrices that are applied by gathering: without atomics, the same bytes come out again."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float32, Int32
from torch import Tensor

LONGEST = 64
"""Entries of a row that one thread of a GPU sums before others take over (`balanced`)."""


class SparseRows(NamedTuple):
    """A sparse matrix [r, n] in compressed rows, with less than 2^31 entries."""

    columns: Int32[Tensor, " e"]
    """The column of each entry."""
    weights: Float32[Tensor, " e"]
    """Its value."""
    offsets: Int32[Tensor, " r1"]
    """Where each row's entries start; then their number."""


def product(matrix: SparseRows, values: Float32[Tensor, "n c"]) -> Float32[Tensor, "r c"]:
    """Matrix times values: the only work of a mean-field iteration besides a soft-max.

    One launch. On a GPU a thread sums one row and channel, entry after entry; a kernel of one's own
    would go here.
    """
    return F.embedding_bag(
        matrix.columns,
        values,
        matrix.offsets,
        mode="sum",
        per_sample_weights=matrix.weights,
        include_last_offset=True,
    )


def balanced(matrix: SparseRows, longest: int = LONGEST) -> tuple[SparseRows, ...]:
    """Factors of the matrix, to be applied one after the other, whose rows have `longest` entries.

    A vertex in a flat region sums ten thousand pixels, which one thread would do while all others
    wait. Its row is cut into pieces, and another matrix sums the pieces.
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
    """Rows of those of `k` entries that exist (bool [r, k]); all rows have the same weights."""
    return SparseRows(
        columns[exists], weights.expand(columns.shape)[exists], _offsets(exists.sum(dim=1))
    )


def _offsets(counts: Tensor) -> Int32[Tensor, " r1"]:
    """Zero, then the running sum."""
    return F.pad(counts.cumsum(dim=0), (1, 0)).to(torch.int32)
