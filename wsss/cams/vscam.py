"""Vertex semantic class activation maps of vision GNNs (VS-CAM, arXiv 2209.09104)."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from wsss.argument_checks import check_number, check_whole
from wsss.cams.core.gradients import mean_gradients
from wsss.cams.core.method import CamMethod, Classes, Images, Maps, Provenance
from wsss.cams.core.needs import Need
from wsss.cams.core.postprocess import normalise_minmax
from wsss.models.classifier import LinearHead, SplitClassifier
from wsss.models.vision_gnn import Graph, VisionGnnBackbone

MAX_PROBES = 2**24
"""Entries of probe maps held at a time: 64 MiB in single precision."""

# Shape suffixes: B = batch, n = classes of an image, D = channels, N = vertices, M = candidates.


class Probes(ABC):
    """Probe maps, the same for every class, whose detections in the base map are aggregated."""

    @abstractmethod
    def __call__(
        self,
        base: Float[Tensor, "b n N"],
        features: Float[Tensor, "b d N"],
        graphs: Sequence[Graph],
    ) -> Float[Tensor, "b n N"]:
        """Detections of the probes in the base map, aggregated.

        Args:
            base: in [0, 1].
            features: of the last block's vertices.
            graphs: of every block, shallow to deep.
        """


class VertexProbes(Probes):
    """One probe a vertex: its neighbours in the graph, weighted by cosine similarity.

    Reconstruction from the published abstract.
    """

    def __init__(self, *, layers: int = 3, symmetrise: bool = False, quantile: float = 0.0) -> None:
        """Choose the probes.

        Args:
            layers: how many of the last blocks' graphs are averaged; fewer where the network has
                fewer on its last grid.
            symmetrise: whether edges count in both directions, `(P + Pᵀ) / 2`.
            quantile: probes whose detections are below this quantile are dropped; 0 keeps all.

        Raises:
            ValueError: an option is out of range.
        """
        check_whole(1, layers=layers)
        check_number(lambda share: 0 <= share < 1, "from 0 to below 1", quantile=quantile)
        self.layers = layers
        self.symmetrise = symmetrise
        self.quantile = quantile

    def __call__(
        self,
        base: Float[Tensor, "b n N"],
        features: Float[Tensor, "b d N"],
        graphs: Sequence[Graph],
    ) -> Float[Tensor, "b n N"]:
        """Detections of the vertices' probes in the base map, aggregated."""
        last = [graph for graph in graphs[-self.layers :] if graph.size == graphs[-1].size]
        images = max(1, MAX_PROBES // base.shape[2] ** 2)
        parts = []
        for start in range(0, len(base), images):
            some = slice(start, start + images)
            probes = torch.stack([neighbour_likeness(graph, some) for graph in last]).mean(dim=0)
            probes = vertex_probes(probes, self.symmetrise)
            parts.append(aggregate(base[some], probes, self.quantile))
        return torch.cat(parts)


class ChannelProbes(Probes):
    """One probe a channel: its map, `P_d`; another reading of the published abstract."""

    def __call__(
        self,
        base: Float[Tensor, "b n N"],
        features: Float[Tensor, "b d N"],
        graphs: Sequence[Graph],
    ) -> Float[Tensor, "b n N"]:
        """Sum of the channels' maps by similarity to the base, `ReLU(Σ_d cos(P_d, b) P_d)`.

        Every channel is stretched to [0, 1] first.
        """
        probes = normalise_minmax(features, dim=2)
        detections = F.normalize(base, dim=2) @ F.normalize(probes, dim=2).transpose(1, 2)
        return (detections @ probes).relu()


def semantic_base(
    features: Float[Tensor, "b d N"], weights: Float[Tensor, "b n d"]
) -> Float[Tensor, "b n N"]:
    """Rectified weighted sum of the channels, stretched to [0, 1]: `minmax(ReLU(Σ_d α_d X_d))`."""
    return normalise_minmax((weights @ features).relu(), dim=2)


def channel_weights(
    head: nn.Module, features: Float[Tensor, "b d h w"], classes: Int64[Tensor, "b n"]
) -> Float[Tensor, "b n d"]:
    """Mean gradient of each class's logit by each channel, `α_d = mean_v ∂f_c/∂X_dv`.

    Of a linear head its weights, which are these gradients times the number of vertices.
    """
    if isinstance(head, LinearHead):
        return head.weight[classes]
    return mean_gradients(head, features, classes)


def neighbour_likeness(graph: Graph, images: slice = slice(None)) -> Float[Tensor, "b N N"]:
    """Cosine of the features of each vertex (row) and its neighbours (columns); 0 elsewhere.

    Negative cosines are 0, too. If neighbours are pooled, all vertices of a cell are neighbours.
    """
    vertices = F.normalize(graph.features[images], dim=1)
    likeness = (vertices.transpose(1, 2) @ vertices).relu_()
    return likeness.mul_(is_neighbour(graph, images))


def is_neighbour(graph: Graph, images: slice = slice(None)) -> Bool[Tensor, "b N N"]:
    """Whether the vertex of a column is a neighbour of that of a row."""
    neighbours, _ = graph.edges[:, images]
    batch, num_vertices, _ = neighbours.shape
    chosen = torch.zeros(
        batch, num_vertices, graph.num_cells, dtype=torch.bool, device=neighbours.device
    )
    chosen.scatter_(2, neighbours, True)
    if graph.pooling == 1:
        return chosen
    return chosen[:, :, cells_of_vertices(graph.size, graph.pooling, chosen.device)]


def cells_of_vertices(
    size: tuple[int, int], pooling: int, device: torch.device | None = None
) -> Int64[Tensor, " N"]:
    """Index of the cell of `pooling` × `pooling` vertices that each vertex is in.

    Rows and columns after the last full cell, which pooling drops, belong to the last cell.
    """
    height, width = (side // pooling for side in size)
    rows = (torch.arange(size[0], device=device) // pooling).clamp(max=height - 1)
    columns = (torch.arange(size[1], device=device) // pooling).clamp(max=width - 1)
    return (rows[:, None] * width + columns).flatten()


def vertex_probes(
    likeness: Float[Tensor, "b N N"], symmetrise: bool = False
) -> Float[Tensor, "b N N"]:
    """Probe of each vertex (row): similarity of the others, and 1 for itself."""
    probes = likeness.clone()
    probes.diagonal(dim1=1, dim2=2).fill_(1)
    return (probes + probes.transpose(1, 2)) / 2 if symmetrise else probes


def aggregate(
    base: Float[Tensor, "b n N"], probes: Float[Tensor, "b N N"], quantile: float = 0.0
) -> Float[Tensor, "b n N"]:
    """Detections of the probes in the base map, aggregated over the vertices.

    A probe detects the mean of the base under it, `r_v = Σ_u P_v(u) b_u / Σ_u P_v(u)`, and a vertex
    gets the mean of the probes over it, `H(u) = Σ_v r_v P_v(u) / Σ_v P_v(u)`.

    Args:
        base: in [0, 1].
        probes: not negative, a row each.
        quantile: of each class's detections, below which probes are dropped. A vertex under no
            probe that is left gets 0.
    """
    detections = base @ probes.transpose(1, 2) / probes.sum(dim=2)[:, None]
    kept = torch.ones_like(detections)
    if quantile > 0:
        kept = (detections >= detections.quantile(quantile, dim=2, keepdim=True)).to(base.dtype)
    total = kept @ probes
    return (detections * kept) @ probes / total.where(total > 0, 1)


class VSCAM(CamMethod):
    """Maps of a vision GNN: a base map of each class, read by probes along the network's graphs.

    Reconstruction from the published abstract, which tells of a single base map, a set of probe
    maps, detection and aggregation, but not how any of them is computed.
    """

    needs = frozenset({Need.GRAPH})
    needs_gradients = True
    provenance = Provenance(
        "VS-CAM: Vertex Semantic Class Activation Mapping to Interpret Vision Graph Neural "
        "Network, arXiv 2209.09104; Neurocomputing 2023",
        "base map, probe maps, detection and aggregation: all formulas",
    )

    def __init__(self, *, probes: Probes | None = None) -> None:
        """Choose the probes.

        Args:
            probes: `VertexProbes` or `ChannelProbes`; None for `VertexProbes` with its defaults.
        """
        self.probes = VertexProbes() if probes is None else probes

    def maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Maps of `n` classes of each image, not negative, at the resolution of the features."""
        network = cast("VisionGnnBackbone", model.features)
        features, graphs = network.forward_with_graph(images)
        weights = channel_weights(model.head, features, classes)
        vertices = features.flatten(2)
        maps = self.probes(semantic_base(vertices, weights), vertices, graphs)
        return maps.view(*classes.shape, *features.shape[2:])
