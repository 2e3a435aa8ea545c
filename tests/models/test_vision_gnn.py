import numpy as np
import pytest
import torch
from torch.nn import functional as F

from wsss.errors import WsssError
from wsss.models import SplitClassifier, VisionGnnBackbone, VisionGnnHead
from wsss.models.saved_networks import load_classifier, save_classifier
from wsss.models.vision_gnn import graph as graph_module
from wsss.models.vision_gnn import load_vision_gnn_classifier
from wsss.models.vision_gnn.graph import dilated_neighbours, nearest_candidates
from wsss.models.vision_gnn.layers import Grapher, MaxRelativeConv
from wsss.models.vision_gnn.network import Architecture, VisionGnn
from wsss.models.vision_gnn.positions import RelativePositions, resize_table


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def small(pooling=1, positions=False, **settings):
    """Two stages of 8 × 8 and 4 × 4 vertices for an image of 32 px."""
    torch.manual_seed(0)
    a = Architecture((8, 16), (2, 2), (4, 8), 8, (3, 6), 2, (pooling, 1), positions)
    return VisionGnn(a, **settings).double().eval()


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("vig_tiny", 7.1),
        ("vig_small", 22.7),
        ("vig_base", 86.8),
        ("pvig_tiny", 10.7),
        ("pvig_small", 27.3),
    ],
)
def test_networks_have_the_papers_number_of_parameters(name, millions):
    with torch.device("meta"):
        backbone = VisionGnnBackbone(name)
        head = VisionGnnHead(backbone.num_features, 1000)
    count = sum(p.numel() for part in (backbone, head) for p in part.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.1)


@pytest.mark.parametrize(
    ("name", "stride", "channels", "sides", "counts", "dilations"),
    [
        ("vig_mini", 8, 96, [12] * 6, [9, 10, 12, 14, 16, 18], [1, 1, 1, 1, 2, 2]),
        (
            "vig_tiny", 16, 192, [6] * 12,
            [9, 9, 10, 11, 12, 13, 13, 14, 15, 16, 17, 18],
            [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3],
        ),
        (
            "pvig_tiny", 32, 384, [24] * 2 + [12] * 2 + [6] * 6 + [3] * 2,
            [9] * 12, [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3],
        ),
        (
            "pvig_tiny", 16, 384, [24] * 2 + [12] * 2 + [6] * 8,
            [9] * 12, [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 12, 12],
        ),
    ],
)  # fmt: skip
def test_blocks_and_grids_are_the_published(name, stride, channels, sides, counts, dilations):
    torch.manual_seed(0)
    backbone = VisionGnnBackbone(name, output_stride=stride).eval()
    images = torch.rand(1, 3, 96, 96)
    with torch.no_grad():
        features, graphs = backbone.forward_with_graph(images)
        torch.testing.assert_close(backbone(images), features, rtol=0, atol=0)
    assert backbone.num_features == channels
    assert features.shape == (1, channels, 96 // stride, 96 // stride)
    assert [graph.size for graph in graphs] == [(side, side) for side in sides]
    convs = [block[0].graph_conv for _, block in backbone.network.blocks()]
    assert [conv.count for conv in convs] == counts
    assert [conv.dilation for conv in convs] == dilations
    assert list(backbone.inner_layers) == [name for name, _ in backbone.network.blocks()]


@pytest.mark.parametrize("size", [(32, 48), (224, 224), (80, 16)])
@pytest.mark.parametrize("name", ["vig_tiny", "pvig_tiny"])
def test_images_of_any_multiple_of_sixteen_pass(name, size):
    backbone = VisionGnnBackbone(name, output_stride=16).eval()
    with torch.no_grad():
        features = backbone(torch.rand(1, 3, *size))
    assert features.shape[2:] == (size[0] // 16, size[1] // 16)
    assert features.isfinite().all()


def naive_neighbours(vertices, candidates, count, dilation, bias=None):
    """The nearest by squared distance of normalised features, one vertex at a time."""
    unit = [[v / v.norm() for v in image.T] for image in vertices]
    others = [[v / v.norm() for v in image.T] for image in candidates]
    found = []
    for b, image in enumerate(unit):
        rows = []
        for i, x in enumerate(image):
            distances = [
                float(((x - y) ** 2).sum()) + (0 if bias is None else float(bias[i, j]))
                for j, y in enumerate(others[b])
            ]
            order = sorted(range(len(distances)), key=distances.__getitem__)
            rows.append(order[: count * dilation : dilation])
        found.append(rows)
    return torch.tensor(found)


@pytest.mark.parametrize("pooling", [1, 2])
def test_edges_are_the_dilated_nearest_neighbours(pooling):
    grapher = Grapher(8, count=3, dilation=2, pooling=pooling).double().eval()
    vertices = random(2, 8, 4, 6)
    with torch.no_grad():
        _, graph = grapher.forward_with_graph(vertices)
        inner = grapher.fc1(vertices)
    torch.testing.assert_close(graph.features, inner.flatten(2), rtol=0, atol=0)
    cells = F.avg_pool2d(inner, pooling).flatten(2)
    expected = naive_neighbours(inner.flatten(2), cells, 3, 2)
    assert torch.equal(graph.edges[0], expected)
    assert torch.equal(graph.edges[1], torch.arange(24)[None, :, None].expand(2, 24, 3))
    assert (graph.size, graph.pooling, graph.num_cells) == ((4, 6), pooling, 24 // pooling**2)


@pytest.mark.parametrize("keep_last_stride", [True, False])
def test_edges_of_a_pyramid_go_to_the_nearest_pooled_cells(keep_last_stride):
    network = small(2, positions=True, keep_last_stride=keep_last_stride)
    with torch.no_grad():
        _, graphs = network.forward_with_graph(random(2, 3, 32, 32))
    assert [graph.pooling for graph in graphs] == [2, 2, 1, 1]
    for graph, (_, block) in zip(graphs, network.blocks(), strict=True):
        conv, (height, width) = block[0].graph_conv, graph.size
        channels, num_vertices = graph.features.shape[1], height * width
        assert graph.num_cells == num_vertices // graph.pooling**2
        assert graph.edges.shape == (2, 2, num_vertices, conv.count)
        assert torch.equal(
            graph.edges[1], torch.arange(num_vertices)[None, :, None].expand_as(graph.edges[1])
        )
        if (own := conv.positions.own.shape[-1]) != height:
            continue  # The released positions are of the published grid alone.
        cells = F.avg_pool2d(graph.features.unflatten(2, graph.size), graph.pooling).flatten(2)
        nearness = official_relative_positions(channels, own, graph.pooling)
        expected = naive_neighbours(graph.features, cells, conv.count, conv.dilation, nearness)
        assert torch.equal(graph.edges[0], expected)
        assert 0 <= graph.edges[0].min() <= graph.edges[0].max() < graph.num_cells


def test_a_vertex_is_its_own_first_neighbour():
    torch.manual_seed(0)
    a = Architecture((16,), (5,), (8, 16), 8, (4, 8), 3, (1,))
    with torch.no_grad():
        _, graphs = VisionGnn(a).double().eval().forward_with_graph(random(2, 3, 32, 24))
    assert [graph.edges.shape for graph in graphs] == [(2, 2, 48, k) for k in (4, 5, 6, 7, 8)]
    for graph in graphs:
        assert torch.equal(graph.edges[0, :, :, 0], graph.edges[1, :, :, 0])
        assert graph.edges.min() >= 0
        assert graph.edges.max() < 48


def test_neighbours_do_not_depend_on_blocks_of_rows(monkeypatch):
    vertices, candidates = random(2, 5, 30), random(2, 5, 12, seed=1)
    positions = (random(5, 30, seed=2), random(5, 12, seed=3))
    whole = nearest_candidates(vertices, candidates, 6, positions)
    monkeypatch.setattr(graph_module, "MAX_SCORES", 7 * 2 * 12)
    assert torch.equal(nearest_candidates(vertices, candidates, 6, positions), whole)


def test_small_images_get_fewer_neighbours():
    x = F.normalize(random(1, 5, 10), dim=1)
    assert dilated_neighbours(x, x, 4, 5).shape == (2, 1, 10, 4)
    assert dilated_neighbours(x, x, 30, 5).shape == (2, 1, 10, 10)


def official_relative_positions(channels, side, pooling):
    """The released matrix [N, M]: negative dot products of sine-cosine tables, resized flat."""
    omega = 1 / 10000 ** (np.arange(channels // 4, dtype=float) / (channels / 4))
    rows = []
    for y in range(side):
        for x in range(side):
            angles = [np.outer([at], omega)[0] for at in (x, y)]
            rows.append(np.concatenate([f(a) for a in angles for f in (np.sin, np.cos)]))
    table = np.array(rows)
    matrix = torch.from_numpy(2 * table @ table.T / channels)
    count = side * side
    size = (count, count // pooling**2)
    return -F.interpolate(matrix[None, None], size=size, mode="bicubic")[0, 0]


@pytest.mark.parametrize("pooling", [1, 2])
def test_near_vertices_are_brought_closer_as_in_the_released_code(pooling):
    own, others = RelativePositions(24, 8, pooling)((8, 8), (8 // pooling, 8 // pooling))
    expected = official_relative_positions(24, 8, pooling)
    torch.testing.assert_close(-2 * own.double().T @ others.double(), expected, atol=1e-5, rtol=0)
    vertices, candidates = random(1, 24, 64), random(1, 24, 64 // pooling**2, seed=1)
    unit = [F.normalize(one, dim=1) for one in (vertices, candidates)]
    edges = dilated_neighbours(*unit, 4, 2, (own.double(), others.double()))
    assert torch.equal(edges[0], naive_neighbours(vertices, candidates, 4, 2, expected))
    assert not torch.equal(edges[0], naive_neighbours(vertices, candidates, 4, 2))


def test_positions_follow_the_grid():
    positions = RelativePositions(16, 8, 2)
    own, others = positions((10, 6), (5, 3))
    assert (own.shape, others.shape) == ((16, 60), (16, 15))
    assert not positions.state_dict()
    table = random(1, 4, 8, 8)
    assert resize_table(table, (8, 8)) is table
    larger = resize_table(table, (8, 14))
    torch.testing.assert_close(resize_table(table.flip(-1), (8, 14)), larger.flip(-1))
    torch.testing.assert_close(resize_table(table[:, :, :1], (1, 14))[:, :, 0], larger[:, :, 0])


def test_vertices_are_updated_by_the_maximum_of_their_relative_neighbours():
    torch.manual_seed(0)
    conv = MaxRelativeConv(8).double().eval()
    vertices, candidates = random(2, 8, 2, 3), random(2, 8, 4, seed=1)
    neighbours = torch.randint(0, 4, (2, 6, 3), generator=torch.Generator().manual_seed(2))
    weight, bias = conv.nn[0].weight[:, :, 0, 0], conv.nn[0].bias
    assert weight.shape == (16, 4)
    for b in range(2):
        for i in range(6):
            x = vertices[b, :, i // 3, i % 3]
            relative = torch.stack([candidates[b, :, j] - x for j in neighbours[b, i]])
            mixed = torch.stack([x, relative.amax(dim=0)], dim=1).flatten()
            grouped = torch.cat(
                [weight[4 * g : 4 * g + 4] @ mixed[4 * g : 4 * g + 4] for g in range(4)]
            )
            expected = F.gelu((grouped + bias) / (1 + conv.nn[1].eps) ** 0.5)
            found = conv(vertices, candidates, neighbours)[b, :, i // 3, i % 3]
            torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("pooling", [1, 2])
def test_relabelled_vertices_give_relabelled_features(pooling):
    """Without positions, a mirrored grid of vertices is updated to the mirror image."""
    network = small(pooling)
    vertices = random(1, 8, 8, 8)
    with torch.no_grad():
        found = network.backbone[0](vertices.flip(-1))
        torch.testing.assert_close(found, network.backbone[0](vertices).flip(-1))


def test_gradients_reach_every_parameter():
    network = small(2, positions=True)
    network(random(2, 3, 32, 32)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_images_are_expected_between_minus_one_and_one():
    backbone = VisionGnnBackbone("vig_tiny").eval()
    images = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(backbone(images), backbone.network((images - 0.5) / 0.5))


def official_state(name):
    """A state dict with the names and shapes of a released checkpoint: ti, 1000 classes."""
    rng = torch.Generator().manual_seed(0)
    state = {}

    def add(key, *shape):
        state[key] = torch.randn(*shape, generator=rng) * 0.02

    def conv(key, inputs, outputs, kernel=1, groups=1):
        add(f"{key}.weight", outputs, inputs // groups, kernel, kernel)
        add(f"{key}.bias", outputs)

    def norm(key, channels):
        for part in ("weight", "bias", "running_mean"):
            add(f"{key}.{part}", channels)
        state[f"{key}.running_var"] = torch.ones(channels)
        state[f"{key}.num_batches_tracked"] = torch.tensor(7)

    def block(index, width, cells=None):
        conv(f"backbone.{index}.0.fc1.0", width, width)
        norm(f"backbone.{index}.0.fc1.1", width)
        conv(f"backbone.{index}.0.graph_conv.gconv.nn.0", 2 * width, 2 * width, groups=4)
        norm(f"backbone.{index}.0.graph_conv.gconv.nn.1", 2 * width)
        conv(f"backbone.{index}.0.fc2.0", 2 * width, width)
        norm(f"backbone.{index}.0.fc2.1", width)
        if cells:
            add(f"backbone.{index}.0.relative_pos", 1, *cells)
        conv(f"backbone.{index}.1.fc1.0", width, 4 * width)
        norm(f"backbone.{index}.1.fc1.1", 4 * width)
        conv(f"backbone.{index}.1.fc2.0", 4 * width, width)
        norm(f"backbone.{index}.1.fc2.1", width)

    stem = {"vig_tiny": (24, 48, 96, 192, 192), "pvig_tiny": (24, 48, 48)}[name]
    for index, (inputs, outputs) in enumerate(zip((3, *stem), stem, strict=False)):
        conv(f"stem.convs.{3 * index}", inputs, outputs, 3)
        norm(f"stem.convs.{3 * index + 1}", outputs)
    if name == "vig_tiny":
        add("pos_embed", 1, 192, 14, 14)
        for index in range(12):
            block(index, 192)
    else:
        add("pos_embed", 1, 48, 56, 56)
        widths, depths, index = (48, 96, 240, 384), (2, 2, 6, 2), 0
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            if stage:
                conv(f"backbone.{index}.conv.0", widths[stage - 1], width, 3)
                norm(f"backbone.{index}.conv.1", width)
                index += 1
            vertices = (56 >> stage) ** 2
            for _ in range(depth):
                block(index, width, (vertices, vertices // (4, 2, 1, 1)[stage] ** 2))
                index += 1
    last = stem[-1] if name == "vig_tiny" else 384
    conv("prediction.0", last, 1024)
    norm("prediction.1", 1024)
    conv("prediction.4", 1024, 1000)
    return state


@pytest.mark.parametrize("name", ["vig_tiny", "pvig_tiny"])
def test_released_checkpoints_load_under_their_own_names(name, tmp_path):
    state = official_state(name)
    file = tmp_path / "released.pth"
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, file)
    backbone = VisionGnnBackbone(name, str(file))
    own = backbone.network.state_dict()
    skipped = {k for k in state if k.startswith("prediction.") or k.endswith("relative_pos")}
    assert set(own) == set(state) - skipped
    assert all(torch.equal(own[key], state[key]) for key in own)
    torch.save(state, file)
    classifier = load_vision_gnn_classifier(name, str(file)).eval()
    assert classifier.num_classes == 1000
    assert not classifier.multi_label
    head = classifier.head.state_dict()
    assert set(head) == {key for key in state if key.startswith("prediction.")}
    assert all(torch.equal(head[key], state[key]) for key in head)
    with torch.no_grad():
        features = torch.rand(2, backbone.num_features, 3, 2)
        assert classifier.head(features).shape == (2, 1000)


def test_wrong_weights_are_refused(tmp_path):
    with pytest.raises(WsssError, match="huawei-noah"):
        VisionGnnBackbone("vig_tiny", "hub")
    file = tmp_path / "other.pth"
    torch.save({"stem.convs.0.weight": torch.ones(1)}, file)
    with pytest.raises(WsssError, match="released checkpoints' names"):
        VisionGnnBackbone("vig_tiny", str(file))
    with pytest.raises(WsssError, match=r"prediction\.4\.bias"):
        load_vision_gnn_classifier("vig_tiny", str(file))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({"name": "vig_huge"}, "pvig_tiny"), ({"name": "vig_tiny", "output_stride": 32}, "one of 16")],
)
def test_networks_that_do_not_exist_are_refused(settings, expected):
    with pytest.raises(ValueError, match=expected):
        VisionGnnBackbone(**settings)


def test_batch_norm_is_learnt_where_asked_and_then_kept(tmp_path):
    torch.manual_seed(0)
    images = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        pixels = VisionGnnBackbone("vig_mini").normalise(images)
    for learns in (False, True):
        backbone = VisionGnnBackbone("vig_mini", train_batch_norm=learns).train()
        convolution, norm = backbone.network.stem.convs[:2]
        with torch.no_grad():
            backbone(images)
            batch_mean = convolution(pixels).mean(dim=(0, 2, 3))
        expected = 0.1 * batch_mean if learns else torch.zeros_like(batch_mean)
        torch.testing.assert_close(norm.running_mean, expected)
    model = SplitClassifier.linear(backbone, 2).eval()
    save_classifier(tmp_path, model, ("cat", "dog"))
    loaded = load_classifier(tmp_path)[0].train()
    with torch.no_grad():
        assert torch.equal(loaded(images), model(images))
        assert torch.equal(loaded(images), model(images))


def test_the_stem_can_be_frozen():
    backbone = VisionGnnBackbone("vig_tiny", freeze="stem")
    frozen = {n.split(".")[1] for n, p in backbone.named_parameters() if not p.requires_grad}
    assert frozen == {"stem"}


def test_a_classifier_comes_back_as_it_was_saved(tmp_path):
    torch.manual_seed(0)
    model = SplitClassifier.linear(VisionGnnBackbone("pvig_tiny", output_stride=16), 2).eval()
    save_classifier(tmp_path, model, ("cat", "dog"))
    loaded, names = load_classifier(tmp_path)
    assert names == ("cat", "dog")
    images = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded(images), model(images))
