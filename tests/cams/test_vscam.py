from itertools import chain

import pytest
import torch
from torch.nn import functional as F

from wsss.cams import vscam as vscam_module
from wsss.cams.vscam import (
    VSCAM,
    ChannelProbes,
    VertexProbes,
    aggregate,
    cells_of_vertices,
    channel_weights,
    is_neighbour,
    neighbour_likeness,
    semantic_base,
    vertex_probes,
)
from wsss.errors import WsssError
from wsss.models import Backbone, SplitClassifier, VisionGnnBackbone, VisionGnnHead
from wsss.models.classifier import LinearHead
from wsss.models.normalisation import Normalisation
from wsss.models.vision_gnn import Graph
from wsss.models.vision_gnn.network import Architecture, VisionGnn


def random(*shape, seed=0):
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def graph_of(neighbours, features, size, pooling=1):
    neighbours = torch.as_tensor(neighbours)
    centres = torch.arange(neighbours.shape[1])[None, :, None].expand_as(neighbours)
    return Graph(torch.stack([neighbours, centres]), features, size, pooling)


class PooledGnn(VisionGnnBackbone):
    """Three blocks whose neighbours are cells of 2 × 2 vertices, near ones first."""

    def __init__(self):
        Backbone.__init__(self, "pooled", 2)
        self.network = VisionGnn(Architecture((16,), (3,), (16,), 8, (2, 4), 2, (2,), True))
        self.num_features = 16
        self.normalise = Normalisation([0.4, 0.5, 0.6], [0.2, 0.25, 0.3])


@pytest.fixture
def pooled_gnn(device):
    torch.manual_seed(0)
    return SplitClassifier(PooledGnn(), VisionGnnHead(16, 5)).to(device).double().eval()


def members(graph, cell):
    """The vertices of a cell; rows and columns that fill none count to the last."""
    height, width = graph.size
    rows, columns = height // graph.pooling, width // graph.pooling
    return [
        y * width + x
        for y in range(height)
        for x in range(width)
        if min(y // graph.pooling, rows - 1) * columns + min(x // graph.pooling, columns - 1)
        == cell
    ]


def naive(model, images, classes, layers=3, symmetrise=False, rho=0.0):
    """The formulas, one image, class, vertex and pair at a time."""
    with torch.no_grad():
        features, graphs = model.features.forward_with_graph(images)
    result = images.new_zeros(*classes.shape, *features.shape[2:])
    for i in range(len(images)):
        n = features[i, 0].numel()
        probes = images.new_zeros(n, n)
        for graph in graphs[-layers:]:
            x = graph.features[i]
            for v in range(n):
                neighbours = [members(graph, cell) for cell in graph.edges[0, i, v].tolist()]
                for u in chain.from_iterable(neighbours):
                    likeness = F.cosine_similarity(x[:, u], x[:, v], dim=0)
                    probes[v, u] += max(0.0, float(likeness)) / layers
        for v in range(n):
            probes[v, v] = 1
        if symmetrise:
            probes = (probes + probes.T) / 2
        for j, c in enumerate(classes[i].tolist()):
            one = features[i : i + 1].clone().requires_grad_()
            with torch.enable_grad():
                (gradient,) = torch.autograd.grad(model.head(one)[0, c], one)
            base = (gradient[0].mean(dim=(1, 2), keepdim=True) * features[i]).sum(dim=0)
            base = base.clamp(min=0).flatten()
            span = base.max() - base.min()
            base = (base - base.min()) / span if span > 0 else 0 * base
            detections = torch.stack([(probes[v] * base).sum() / probes[v].sum() for v in range(n)])
            threshold = torch.quantile(detections, rho)
            kept = [v for v in range(n) if rho == 0 or detections[v] >= threshold]
            for u in range(n):
                weight = sum(float(probes[v, u]) for v in kept)
                total = sum(float(detections[v] * probes[v, u]) for v in kept)
                result[i, j, u // features.shape[3], u % features.shape[3]] = (
                    total / weight if weight > 0 else 0.0
                )
    return result


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"layers": 2, "symmetrise": True},
        {"layers": 1, "rho": 0.6},
    ],
    ids=str,
)
def test_maps_are_the_formulas(toy_gnn, toy_images, toy_classes, options):
    expected = naive(toy_gnn, toy_images, toy_classes, **options)
    if "rho" in options:
        options = {"layers": options["layers"], "quantile": options["rho"]}
    maps = VSCAM(probes=VertexProbes(**options))(toy_gnn, toy_images, toy_classes)
    assert maps.std() > 0.01
    torch.testing.assert_close(maps, expected, rtol=1e-8, atol=1e-10)


def test_maps_of_a_pyramid_are_the_formulas_with_pooled_neighbours(
    pooled_gnn, toy_images, toy_classes
):
    maps = VSCAM()(pooled_gnn, toy_images, toy_classes)
    assert maps.shape[2:] == (7, 6)  # One row more than the cells fill.
    assert maps.std() > 0.01
    torch.testing.assert_close(
        maps, naive(pooled_gnn, toy_images, toy_classes), rtol=1e-8, atol=1e-10
    )


def test_with_edges_to_themselves_only_vertices_keep_their_base():
    base, x = random(2, 3, 12), random(2, 5, 12, seed=1)
    alone = graph_of(torch.arange(12)[None, :, None].expand(2, 12, 1), x, (3, 4))
    probes = vertex_probes(neighbour_likeness(alone))
    assert torch.equal(probes, torch.eye(12, dtype=torch.float64).expand(2, 12, 12))
    torch.testing.assert_close(aggregate(base, probes), base, rtol=1e-12, atol=0)
    found = VertexProbes()(base, x, [alone] * 3)
    torch.testing.assert_close(found, base, rtol=1e-12, atol=0)


def test_in_a_complete_graph_of_equals_every_vertex_gets_the_mean():
    base, x = random(2, 3, 12), torch.ones(2, 5, 12, dtype=torch.float64)
    complete = graph_of(torch.arange(12).expand(2, 12, 12), x, (3, 4))
    found = VertexProbes()(base, x, [complete])
    expected = base.mean(dim=2, keepdim=True).expand_as(base)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("symmetrise", [False, True])
def test_nothing_leaks_into_another_component(symmetrise):
    one = torch.randint(0, 5, (1, 5, 3), generator=torch.Generator().manual_seed(0))
    other = torch.randint(5, 12, (1, 7, 3), generator=torch.Generator().manual_seed(1))
    base = random(1, 2, 12)
    base[:, :, 5:] = 0
    graph = graph_of(torch.cat([one, other], dim=1), random(1, 4, 12, seed=2), (3, 4))
    found = VertexProbes(symmetrise=symmetrise)(base, base, [graph])
    assert (found[:, :, 5:] == 0).all()
    assert (found[:, :, :5] > 0).all()


def test_relabelled_vertices_have_relabelled_maps():
    generator = torch.Generator().manual_seed(0)
    neighbours = torch.randint(0, 12, (2, 12, 4), generator=generator)
    order = torch.randperm(12, generator=generator)
    rank = order.argsort()
    base, x = random(2, 3, 12), random(2, 5, 12, seed=1) - 0.4
    for options in ({}, {"symmetrise": True}, {"quantile": 0.4}):
        probes = VertexProbes(**options)
        found = probes(base, x, [graph_of(neighbours, x, (3, 4))])
        moved = graph_of(rank[neighbours][:, order], x[:, :, order], (3, 4))
        relabelled = probes(base[:, :, order], x[:, :, order], [moved])
        torch.testing.assert_close(relabelled, found[:, :, order], rtol=1e-9, atol=1e-12)


def test_probes_are_the_same_for_every_class_and_the_base_is_not(toy_gnn, toy_images, device):
    seen = []

    class Spy(VertexProbes):
        def __call__(self, base, features, graphs):
            likeness = [neighbour_likeness(graph) for graph in graphs]
            seen.append((base, features, likeness))
            return super().__call__(base, features, graphs)

    for c in (0, 3):
        VSCAM(probes=Spy())(toy_gnn, toy_images, torch.full((3, 1), c, device=device))
    (base, features, likeness), (other_base, other_features, other_likeness) = seen
    torch.testing.assert_close(
        (features, likeness), (other_features, other_likeness), rtol=0, atol=0
    )
    assert (base - other_base).abs().max() > 0.1


def test_base_weights_are_those_of_a_linear_head(toy_gnn, toy_images, toy_classes, device):
    torch.manual_seed(0)
    head = LinearHead(16, 5, bias=True).to(device).double()
    features = toy_gnn.features(toy_images).detach()
    weights = channel_weights(head, features, toy_classes)
    assert torch.equal(weights, head.linear.weight[toy_classes])
    hidden = torch.nn.Sequential(head)  # The same head, but not known to be linear.
    by_gradient = channel_weights(hidden, features, toy_classes) * 42
    torch.testing.assert_close(by_gradient, weights, rtol=1e-9, atol=1e-12)
    flat = features.flatten(2)
    torch.testing.assert_close(semantic_base(flat, weights), semantic_base(flat, by_gradient))
    linear = SplitClassifier(toy_gnn.features, head)
    alone = VSCAM(probes=VertexProbes(layers=1))(linear, toy_images, toy_classes)
    assert alone.shape == (3, 2, 7, 6)


def test_a_pooled_neighbour_stands_for_all_its_vertices():
    neighbours = torch.tensor([[[5, 0]] * 24])  # Of the 2 × 3 cells of a grid of 4 × 6.
    x = random(1, 5, 24)
    found = is_neighbour(graph_of(neighbours, x, (4, 6), pooling=2))[0]
    expected = torch.zeros(4, 6, dtype=torch.bool)
    expected[2:, 4:] = True
    expected[:2, :2] = True
    assert torch.equal(found, expected.flatten().expand(24, 24))


def test_vertices_that_fill_no_cell_count_to_the_last():
    cells = cells_of_vertices((5, 4), 2).view(5, 4).tolist()
    assert cells == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3], [2, 2, 3, 3]]


def test_probes_of_channels_are_the_formula(toy_gnn, toy_images, toy_classes):
    maps = VSCAM(probes=ChannelProbes())(toy_gnn, toy_images, toy_classes)
    with torch.no_grad():
        features, _ = toy_gnn.features.forward_with_graph(toy_images)
    bases = semantic_base(features.flatten(2), channel_weights(toy_gnn.head, features, toy_classes))
    for i in range(3):
        for j in range(2):
            total = toy_images.new_zeros(42)
            for channel in features[i].flatten(1):
                probe = (channel - channel.min()) / (channel.max() - channel.min())
                total += F.cosine_similarity(probe, bases[i, j], dim=0) * probe
            torch.testing.assert_close(maps[i, j].flatten(), total.clamp(min=0), rtol=1e-9, atol=0)


def test_maps_do_not_depend_on_how_many_images_are_probed_together(
    toy_gnn, toy_images, toy_classes, monkeypatch
):
    together = VSCAM()(toy_gnn, toy_images, toy_classes)
    monkeypatch.setattr(vscam_module, "MAX_PROBES", 1)
    alone = VSCAM()(toy_gnn, toy_images, toy_classes)
    torch.testing.assert_close(alone, together, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("name", "stride"), [("vig_tiny", 16), ("pvig_tiny", 32)])
def test_published_networks_have_maps(name, stride):
    torch.manual_seed(0)
    model = SplitClassifier.linear(VisionGnnBackbone(name, output_stride=stride), 3).eval()
    maps = VSCAM()(model, torch.rand(1, 3, 64, 96), torch.tensor([[0, 2]]))
    assert maps.shape == (1, 2, 64 // stride, 96 // stride)
    assert maps.isfinite().all()
    assert (maps >= 0).all()
    assert (maps <= 1).all()


def test_networks_without_graphs_are_refused(toy, toy_images, toy_classes):
    with pytest.raises(WsssError, match=r"^VSCAM: this method cannot explain a model of Toy"):
        VSCAM().check(toy)
    with pytest.raises(WsssError, match="a vision GNN"):
        VSCAM()(toy, toy_images, toy_classes)


@pytest.mark.parametrize("options", [{"layers": 0}, {"quantile": 1.0}, {"quantile": -0.1}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}=.*: expected a"):
        VertexProbes(**options)


def test_the_method_says_that_it_is_a_reconstruction():
    assert "Reconstruction from the published abstract" in VSCAM.__doc__
    assert VSCAM.provenance.reconstructed
