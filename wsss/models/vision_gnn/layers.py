"""Layers of Vision GNN. Modules are named as in the released checkpoints."""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from wsss.models.vision_gnn.graph import Graph, dilated_neighbours
from wsss.models.vision_gnn.positions import RelativePositions

CONV_GROUPS = 4
"""Groups (heads) of the convolution that updates a vertex."""
FFN_RATIO = 4
"""Hidden channels of a feed-forward module, per channel."""

# Shape suffixes: B = batch, D = channels, N = vertices, M = candidates, k = neighbours a vertex.


def convolution(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    """A convolution and its BatchNorm."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2), nn.BatchNorm2d(outputs)
    )


def neighbour_maximum(
    features: Float[Tensor, "b d m"], neighbours: Int64[Tensor, "b n k"]
) -> Float[Tensor, "b d n"]:
    """Per-channel maximum over each vertex's neighbours."""
    batch, channels, num_candidates = features.shape
    table = features.transpose(1, 2).reshape(-1, channels)
    first = torch.arange(batch, device=features.device) * num_candidates
    rows = (neighbours + first[:, None, None]).flatten(0, 1)
    # Fused gather and maximum: the k features of every vertex are never materialised.
    maxima = F.embedding_bag(rows, table, mode="max")
    return maxima.view(batch, -1, channels).transpose(1, 2)


class Stem(nn.Module):
    """Strided convolutions from the image to a grid of vertices."""

    def __init__(self, widths: Sequence[int]) -> None:
        """Stack a strided convolution for each of `widths`, and one more without a stride."""
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip((3, *widths), widths, strict=False):
            layers += [*convolution(inputs, outputs, kernel=3, stride=2), nn.GELU()]
        self.convs = nn.Sequential(*layers, *convolution(widths[-1], widths[-1], kernel=3))

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b d h w"]:
        """The vertices."""
        return self.convs(images)  # type: ignore[no-any-return]


class Downsample(nn.Module):
    """Down-sampling between two stages of a pyramid."""

    def __init__(self, inputs: int, outputs: int, stride: int = 2) -> None:
        super().__init__()
        self.conv = convolution(inputs, outputs, kernel=3, stride=stride)

    def forward(self, vertices: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d2 h2 w2"]:
        """The vertices of the next stage."""
        return self.conv(vertices)  # type: ignore[no-any-return]


class MaxRelativeConv(nn.Module):
    """Update of the vertices, `x_i' = G([x_i ; max_j (x_j − x_i)])`, that doubles the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.nn = nn.Sequential(
            nn.Conv2d(2 * channels, 2 * channels, 1, groups=CONV_GROUPS),
            nn.BatchNorm2d(2 * channels),
            nn.GELU(),
        )

    def forward(
        self,
        vertices: Float[Tensor, "b d h w"],
        candidates: Float[Tensor, "b d m"],
        neighbours: Int64[Tensor, "b n k"],
    ) -> Float[Tensor, "b d2 h w"]:
        """Updated vertices. Channels of `x_i` and of the maximum alternate before the groups."""
        relative = neighbour_maximum(candidates, neighbours).reshape_as(vertices) - vertices
        return self.nn(torch.stack([vertices, relative], dim=2).flatten(1, 2))  # type: ignore[no-any-return]


class GraphConv(nn.Module):
    """Builds the graph of the vertices, and updates them along its edges."""

    def __init__(
        self,
        channels: int,
        count: int,
        dilation: int,
        pooling: int,
        positions: RelativePositions | None,
    ) -> None:
        super().__init__()
        self.count = count
        self.dilation = dilation
        self.pooling = pooling
        self.gconv = MaxRelativeConv(channels)
        self.positions = positions

    def forward(self, vertices: Float[Tensor, "b d h w"]) -> tuple[Tensor, Graph]:
        """Updated vertices [B, 2D, h, w], and the graph."""
        pooled = F.avg_pool2d(vertices, self.pooling) if self.pooling > 1 else vertices
        size, cells = _grid(vertices), _grid(pooled)
        flat, candidates = vertices.flatten(2), pooled.flatten(2)
        edges = dilated_neighbours(
            F.normalize(flat, dim=1),
            F.normalize(candidates, dim=1),
            self.count,
            self.dilation,
            None if self.positions is None else self.positions(size, cells),
        )
        updated = self.gconv(vertices, candidates, edges[0])
        return updated, Graph(edges, flat, size, self.pooling)


class Grapher(nn.Module):
    """Graph convolution between two 1 × 1 convolutions, with a shortcut."""

    def __init__(
        self,
        channels: int,
        count: int,
        dilation: int = 1,
        pooling: int = 1,
        positions: RelativePositions | None = None,
    ) -> None:
        """Build the module.

        Args:
            channels: D of the vertices.
            count: neighbours of each vertex.
            dilation: every `dilation`-th of the nearest becomes a neighbour.
            pooling: neighbours are means over cells of this many vertices a side.
            positions: added to distances of features; None for features alone.
        """
        super().__init__()
        self.fc1 = convolution(channels, channels)
        self.graph_conv = GraphConv(channels, count, dilation, pooling, positions)
        self.fc2 = convolution(2 * channels, channels)

    def forward_with_graph(self, vertices: Float[Tensor, "b d h w"]) -> tuple[Tensor, Graph]:
        """Updated vertices [B, D, h, w], and the graph along whose edges they were updated."""
        updated, graph = self.graph_conv(self.fc1(vertices))
        return self.fc2(updated) + vertices, graph

    def forward(self, vertices: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
        """Updated vertices."""
        return self.forward_with_graph(vertices)[0]


class FeedForward(nn.Module):
    """Two 1 × 1 convolutions with a shortcut, which keep the vertices diverse."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = convolution(channels, FFN_RATIO * channels)
        self.act = nn.GELU()
        self.fc2 = convolution(FFN_RATIO * channels, channels)

    def forward(self, vertices: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
        """Updated vertices."""
        return self.fc2(self.act(self.fc1(vertices))) + vertices  # type: ignore[no-any-return]


class Block(nn.Sequential):
    """A Grapher and a feed-forward module."""

    def __init__(self, grapher: Grapher, feed_forward: FeedForward) -> None:
        super().__init__(grapher, feed_forward)

    def forward_with_graph(self, vertices: Float[Tensor, "b d h w"]) -> tuple[Tensor, Graph]:
        """Updated vertices [B, D, h, w], and the block's graph."""
        grapher, feed_forward = cast("tuple[Grapher, FeedForward]", tuple(self))
        updated, graph = grapher.forward_with_graph(vertices)
        return feed_forward(updated), graph


def _grid(vertices: Float[Tensor, "b d h w"]) -> tuple[int, int]:
    height, width = vertices.shape[2:]
    return height, width
