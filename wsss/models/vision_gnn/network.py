"""Vision GNN networks, isotropic and pyramid (Han et al., Vision GNN, NeurIPS 2022)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from wsss.models.vision_gnn.graph import Graph
from wsss.models.vision_gnn.layers import Block, Downsample, FeedForward, Grapher, Stem
from wsss.models.vision_gnn.positions import RelativePositions, resize_table


@dataclass(frozen=True, slots=True)
class Architecture:
    """Hyperparameters of a Vision GNN, as in the paper."""

    widths: tuple[int, ...]
    """Channels of each stage."""
    depths: tuple[int, ...]
    """Blocks of each stage."""
    stem: tuple[int, ...]
    """Channels of the stem's strided convolutions."""
    side: int
    """Vertices a side of the first stage for a training image of 224 px."""
    neighbours: tuple[int, int]
    """Neighbours a vertex in the first block and in the last; linear between."""
    max_dilation: int
    """Dilation grows by one every four blocks up to this."""
    poolings: tuple[int, ...]
    """Side of the cells of vertices that are each stage's candidates."""
    relative_positions: bool = False
    """Whether distances of features include relative positions."""


def isotropic(width: int, depth: int, strides: int = 4) -> Architecture:
    """One stage of 14 × 14 vertices; 9 to 18 neighbours, so dilation up to 196 // 18.

    Args:
        width: channels of the vertices.
        depth: blocks.
        strides: strided convolutions of the stem, each of 2; three for images of half the size.
    """
    stem = tuple(width >> halvings for halvings in reversed(range(strides)))
    return Architecture((width,), (depth,), stem, 14, (9, 18), 196 // 18, (1,))


def pyramid(widths: tuple[int, int, int, int], depths: tuple[int, int, int, int]) -> Architecture:
    """Four stages of 56² to 7² vertices; 9 neighbours, so dilation up to 49 // 9."""
    stem = (widths[0] // 2, widths[0])
    return Architecture(widths, depths, stem, 56, (9, 9), 49 // 9, (4, 2, 1, 1), True)


class VisionGnn(nn.Module):
    """A stem and blocks that update vertices, each along a graph of its own."""

    def __init__(self, architecture: Architecture, keep_last_stride: bool = True) -> None:
        """Build the network with random weights (He et al.; biases are zero).

        Args:
            architecture: its hyperparameters.
            keep_last_stride: False replaces the last stride by a dilation of the last stage's
                neighbourhoods by 4, as dilated convolutions do. The parameters are the same.
        """
        super().__init__()
        a = architecture
        self.stem = Stem(a.stem)
        self.pos_embed = nn.Parameter(torch.zeros(1, a.widths[0], a.side, a.side))
        counts = torch.linspace(*a.neighbours, sum(a.depths), device="cpu").int().tolist()
        layers: list[nn.Module] = []
        block = 0
        for stage, width in enumerate(a.widths):
            dense = stage > 0 and stage == len(a.widths) - 1 and not keep_last_stride
            if stage > 0:
                layers.append(Downsample(a.widths[stage - 1], width, stride=1 if dense else 2))
            for _ in range(a.depths[stage]):
                dilation = min(block // 4 + 1, a.max_dilation)
                pooling = a.poolings[stage]
                positions = (
                    RelativePositions(width, a.side >> stage, pooling)
                    if a.relative_positions
                    else None
                )
                grapher = Grapher(
                    width, counts[block], dilation * (4 if dense else 1), pooling, positions
                )
                layers.append(Block(grapher, FeedForward(width)))
                block += 1
        self.backbone = nn.Sequential(*layers)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b d h w"]:
        """The last block's vertices, for normalised images."""
        return self.backbone(self._vertices(images))  # type: ignore[no-any-return]

    def forward_with_graph(self, images: Float[Tensor, "b 3 H W"]) -> tuple[Tensor, list[Graph]]:
        """The last block's vertices [B, D, h, w] and the graph of every block, shallow to deep."""
        vertices = self._vertices(images)
        graphs = []
        for layer in self.backbone:
            if isinstance(layer, Block):
                vertices, graph = layer.forward_with_graph(vertices)
                graphs.append(graph)
            else:
                vertices = layer(vertices)
        return vertices, graphs

    def blocks(self) -> Sequence[tuple[str, Block]]:
        """Every block with the name of its module, shallow to deep."""
        return [
            (f"backbone.{index}", layer)
            for index, layer in enumerate(self.backbone)
            if isinstance(layer, Block)
        ]

    def _vertices(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b d h w"]:
        vertices: Tensor = self.stem(images)
        height, width = vertices.shape[2:]
        return vertices + resize_table(self.pos_embed, (height, width))
