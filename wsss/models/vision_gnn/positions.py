"""Position embeddings of vertices, resized to the image's grid."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

WAVELENGTH_BASE = 10_000


def resize_table(
    table: Float[Tensor, "1 c h w"], size: tuple[int, int]
) -> Float[Tensor, "1 c h2 w2"]:
    """A position table resized to another grid (bicubic); unchanged for its own."""
    if table.shape[2:] == size:
        return table
    return F.interpolate(table, size=size, mode="bicubic", align_corners=False)


def sine_cosine_table(channels: int, side: int) -> Float[Tensor, "1 c side side"]:
    """Sines and cosines of column and row, half of the channels each, in falling frequency.

    Args:
        channels: a multiple of 4.
        side: of the square grid.
    """
    quarter = channels // 4
    frequencies = WAVELENGTH_BASE ** -(torch.arange(quarter, dtype=torch.float64) / quarter)
    angles = torch.arange(side, dtype=torch.float64)[:, None] * frequencies
    waves = torch.cat([angles.sin(), angles.cos()], dim=1).T
    by_column = waves[:, None, :].expand(-1, side, -1)
    by_row = waves[:, :, None].expand(-1, -1, side)
    return torch.cat([by_column, by_row])[None].float()


class RelativePositions(nn.Module):
    """Position vectors `p`, `q` of vertices and candidates; `p·q` is large for near ones.

    The pyramid networks add `−2 P Pᵀ / D` to the squared distances of features, with `P` the
    sine-cosine table of the stage's grid. The released code resizes this matrix to the pooled
    candidates bicubically along the flattened index; the weights were trained so, and the same
    resizing of the candidates' table is kept here. For other image sizes each table is resized on
    its grid, where the released code resizes the matrix along flattened indices.
    """

    def __init__(self, channels: int, side: int, pooling: int) -> None:
        """Compute the tables, which are in no state dict.

        Args:
            channels: length of the vectors, a multiple of 4.
            side: of the square grid of vertices in training.
            pooling: a candidate is a cell of this many vertices a side.
        """
        super().__init__()
        own = sine_cosine_table(channels, side) / channels**0.5
        cells = side // pooling
        row = own.reshape(1, channels, 1, side * side)
        others = F.interpolate(row, size=(1, cells * cells), mode="bicubic") if pooling > 1 else row
        self.own: Tensor
        self.others: Tensor
        self.register_buffer("own", own, persistent=False)
        self.register_buffer(
            "others", others.reshape(1, channels, cells, cells).clone(), persistent=False
        )

    def forward(
        self, size: tuple[int, int], candidate_size: tuple[int, int]
    ) -> tuple[Float[Tensor, "c n"], Float[Tensor, "c m"]]:
        """Vectors of the vertices and of the candidates of grids of these sizes."""
        own, others = resize_table(self.own, size), resize_table(self.others, candidate_size)
        return own[0].flatten(1), others[0].flatten(1)
