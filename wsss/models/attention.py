"""Attention between the patches of a vision transformer."""

from jaxtyping import Float
from torch import Tensor

# Shape suffixes: B = batch, N = patches, M = columns, T = tokens: the class token, then patches.


def patch_attention(attention: Float[Tensor, "b t t"]) -> Float[Tensor, "b N N"]:
    """Attention between patches, without the class token, every row divided by its sum."""
    return normalise_rows(attention[:, 1:, 1:])


def normalise_rows(matrix: Float[Tensor, "b N M"]) -> Float[Tensor, "b N M"]:
    """Rows divided by their sums; rows of zeros stay zeros."""
    sums = matrix.sum(dim=2, keepdim=True)
    return matrix / sums.where(sums > 0, 1)
