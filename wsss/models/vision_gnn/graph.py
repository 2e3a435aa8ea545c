"""Graphs over image vertices: dilated nearest neighbours in feature space."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

MAX_SCORES = 2**24
"""Scores held at a time: 64 MiB in single precision, whatever the size of the image."""


@dataclass(frozen=True, slots=True)
class Graph:
    """The graph that one block built, with the features it was built from."""

    edges: Int64[Tensor, "2 b n k"]
    """Indices of each neighbour (row 0) and of its vertex (row 1)."""
    features: Float[Tensor, "b d n"]
    """Features of the vertices, before the L2 normalisation of the neighbour search."""
    size: tuple[int, int]
    """Height and width of the grid of vertices, row by row."""
    pooling: int = 1
    """A neighbour is a cell of `pooling` × `pooling` vertices; 1 where it is a vertex itself."""

    @property
    def num_cells(self) -> int:
        """Number of candidates M that neighbours were chosen from."""
        return (self.size[0] // self.pooling) * (self.size[1] // self.pooling)


def dilated_neighbours(
    vertices: Float[Tensor, "b d n"],
    candidates: Float[Tensor, "b d m"],
    count: int,
    dilation: int,
    positions: tuple[Float[Tensor, "d n"], Float[Tensor, "d m"]] | None = None,
) -> Int64[Tensor, "2 b n k"]:
    """Edges to every `dilation`-th of the `count · dilation` nearest candidates of each vertex.

    Images too small for that many candidates get a smaller dilation, then fewer neighbours.

    Args:
        vertices: L2-normalised over their channels.
        candidates: likewise.
        count: neighbours k of each vertex.
        dilation: step in the list of nearest candidates.
        positions: vectors p, q of vertices and candidates; `2 p·q` is subtracted from distances.
    """
    num_vertices = vertices.shape[2]
    num_candidates = candidates.shape[2]
    count = min(count, num_candidates)
    dilation = min(dilation, num_candidates // count)
    nearest = nearest_candidates(vertices, candidates, count * dilation, positions)
    neighbours = nearest[:, :, ::dilation]
    centres = torch.arange(num_vertices, device=vertices.device)
    return torch.stack([neighbours, centres[None, :, None].expand_as(neighbours)])


@torch.no_grad()
def nearest_candidates(
    vertices: Float[Tensor, "b d n"],
    candidates: Float[Tensor, "b d m"],
    count: int,
    positions: tuple[Float[Tensor, "d n"], Float[Tensor, "d m"]] | None = None,
) -> Int64[Tensor, "b n count"]:
    """Indices of the candidates nearest to each vertex, nearest first.

    The distance is `|x_i − y_j|² − 2 p_i·q_j` for features `x`, `y` and positions `p`, `q`; ranked
    is `x_i·y_j − |y_j|²/2 + p_i·q_j`, half of its negative without the constant `|x_i|²`.
    """
    offsets = candidates.square().sum(dim=1, keepdim=True) / -2
    # One product of stacked vectors, instead of an N × M matrix of `p·q`.
    if positions is not None:
        own, others = (one.expand(len(vertices), -1, -1) for one in positions)
        vertices = torch.cat([vertices, own], dim=1)
        candidates = torch.cat([candidates, others], dim=1)
    rows = max(1, MAX_SCORES // (len(vertices) * candidates.shape[2]))
    blocks = [
        torch.baddbmm(offsets, block.transpose(1, 2), candidates).topk(count, dim=2).indices
        for block in torch.split(vertices, rows, dim=2)
    ]
    return torch.cat(blocks, dim=1)
