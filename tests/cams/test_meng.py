import pytest
import torch

from wsss.cams.cam import CAM
from wsss.cams.meng import Meng
from wsss.cams.meng.meng import fuse_layers, fuse_opponents, pair_maps
from wsss.errors import WsssError
from wsss.losses import pair_logistic_loss
from wsss.models import PairHeads, PairNetworks
from wsss.models.last_block import cut_before_last_stage


@pytest.fixture
def toy_pairwise(toy, device):
    """The linear classifier's own rows as the heads of all pairs."""
    pairs = [(one, other) for one in range(5) for other in range(5) if one != other]
    targets, opponents = (torch.tensor(column) for column in zip(*pairs, strict=True))
    heads = PairHeads(targets, opponents, 5, 16).to(device).double()
    weight = toy.head.weight.detach()
    heads.weight.data = torch.stack([weight[targets], weight[opponents]], dim=1)
    toy.pair_heads = heads
    return toy


def test_rows_of_one_classifier_give_the_map_less_the_mean_of_the_others(
    toy_pairwise, toy_images, toy_classes, every_class
):
    pairs, real = toy_pairwise.pair_heads.of_classes(toy_classes)
    assert real.all()
    difference = toy_pairwise.pair_heads.difference.detach()[pairs].flatten(1, 2)
    with torch.no_grad():
        maps = pair_maps(toy_pairwise.features(toy_images), difference)
    found = maps.unflatten(1, (2, 4)).mean(dim=2)
    every = CAM()(toy_pairwise, toy_images, every_class)
    for image in range(3):
        for position, target in enumerate(toy_classes[image]):
            others = [c for c in range(5) if c != target]
            expected = every[image, target] - every[image, others].mean(dim=0)
            torch.testing.assert_close(found[image, position], expected, rtol=1e-9, atol=1e-12)


def test_a_map_against_an_opponent_is_the_negative_of_the_opponent_s(toy_pairwise, toy_images):
    heads = toy_pairwise.pair_heads
    with torch.no_grad():
        features = toy_pairwise.features(toy_images)
        maps = pair_maps(features, heads.difference[None].expand(3, -1, -1))
    position = {
        pair: index
        for index, pair in enumerate(
            zip(heads.targets.tolist(), heads.opponents.tolist(), strict=True)
        )
    }
    for (target, opponent), index in position.items():
        assert torch.equal(maps[:, index], -maps[:, position[opponent, target]])


def naive_meng(model, images, classes, layers, weights, gate, how):
    """The specification's steps, one image, class, opponent and layer after another."""
    heads = model.pair_heads
    network = model.features.network
    own_stages = getattr(heads, "stages", None)
    result = []
    for image in range(len(images)):
        for target in classes[image].tolist():
            against = []
            for pair in range(len(heads.targets)):
                if heads.targets[pair] != target:
                    continue
                x = model.features.normalise(images[image : image + 1])
                outputs = {}
                for name, stage in network.named_children():
                    if own_stages and name == "2":
                        stage = own_stages[pair]
                    x = outputs[name] = stage(x)
                    if name in layers:
                        outputs[name].retain_grad()
                pooled = x.mean(dim=(2, 3))[0]
                (pooled @ heads.weight[pair, 0] - pooled @ heads.weight[pair, 1]).backward()
                maps = []
                for name in layers:
                    output = outputs[name]
                    alpha = output.grad[0].mean(dim=(1, 2))
                    maps.append(
                        sum(a * channel for a, channel in zip(alpha, output[0], strict=True))
                    )
                difference = heads.weight[pair, 0] - heads.weight[pair, 1]
                maps.append(sum(d * channel for d, channel in zip(difference, x[0], strict=True)))
                maps = [one.detach().clamp(min=0) for one in maps]
                maps = [one / one.max() if one.max() > 0 else one for one in maps]
                size = maps[0].shape
                maps = [
                    torch.nn.functional.interpolate(one[None, None], size, mode="bilinear")[0, 0]
                    for one in maps
                ]
                fused = sum(w * one for w, one in zip(weights, maps, strict=True)) / sum(weights)
                if gate:
                    fused = torch.where(maps[-1] < fused, maps[-1], fused)
                against.append(fused / fused.max() if fused.max() > 0 else fused)
            stacked = torch.stack(against)
            result.append(stacked.mean(dim=0) if how == "mean" else stacked.amax(dim=0))
    return torch.stack(result).unflatten(0, classes.shape)


@pytest.mark.parametrize(
    ("layers", "weights", "gate", "how"),
    [
        (("0", "1"), (0.2, 0.3, 0.5), True, "mean"),
        (("1",), (0.7, 0.3), False, "max"),
        ((), (1.0,), True, "mean"),
    ],
)
def test_maps_are_those_of_the_formulas(
    toy_opposed, toy_images, toy_classes, layers, weights, gate, how
):
    toy_opposed.requires_grad_(True)
    expected = naive_meng(toy_opposed, toy_images, toy_classes, layers, weights, gate, how)
    method = Meng(layers=layers, layer_weights=weights, gate=gate, opponents=how)
    found = method(toy_opposed, toy_images, toy_classes)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("layers", "weights", "gate", "how"),
    [
        (("0", "1"), (0.2, 0.3, 0.5), True, "mean"),
        (("0",), (0.7, 0.3), False, "max"),
        ((), (1.0,), True, "mean"),
    ],
)
def test_maps_of_fine_tuned_pairs_are_those_of_the_formulas_with_their_last_stages(
    toy_tuned, toy_images, toy_classes, layers, weights, gate, how
):
    toy_tuned.requires_grad_(True)
    expected = naive_meng(toy_tuned, toy_images, toy_classes, layers, weights, gate, how)
    method = Meng(layers=layers, layer_weights=weights, gate=gate, opponents=how)
    found = method(toy_tuned, toy_images, toy_classes)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_pairs_that_have_not_learned_have_the_maps_of_their_heads(
    toy_opposed, toy_images, toy_classes
):
    expected = Meng()(toy_opposed, toy_images, toy_classes)
    heads = toy_opposed.pair_heads
    _, stage = cut_before_last_stage(toy_opposed.features)
    tuned = PairNetworks(heads.targets, heads.opponents, 5, 16, stage).double().eval()
    tuned.weight = heads.weight
    toy_opposed.pair_heads = tuned
    found = Meng()(toy_opposed, toy_images, toy_classes)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_the_last_stage_is_no_inner_layer_of_fine_tuned_pairs(toy_tuned):
    with pytest.raises(WsssError, match="2 is in the last stage, which every pair has of its own"):
        Meng(layers=("1", "2")).check(toy_tuned)


def test_the_two_stages_before_the_last_are_looked_at_by_default(
    toy_opposed, toy_images, toy_classes
):
    found = Meng()(toy_opposed, toy_images, toy_classes)
    named = Meng(layers=("0", "1"))(toy_opposed, toy_images, toy_classes)
    assert torch.equal(found, named)
    assert found.shape[2:] == (14, 12)


@pytest.mark.parametrize("fixture", ["toy_opposed", "toy_tuned"])
def test_every_layer_has_its_own_weight_in_any_order(request, fixture, toy_images, toy_classes):
    model = request.getfixturevalue(fixture)
    expected, found = (
        Meng(layers=layers, layer_weights=weights)(model, toy_images, toy_classes)
        for layers, weights in ((("0", "1"), (0.2, 0.3, 0.5)), (("1", "0"), (0.3, 0.2, 0.5)))
    )
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


def test_a_single_layer_is_its_own_fusion():
    one = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    one /= one.amax(dim=(2, 3), keepdim=True)
    for gate in (False, True):
        torch.testing.assert_close(fuse_layers([one], [1.0], gate), one, rtol=1e-12, atol=0)


def test_a_gate_of_ones_changes_nothing():
    shallow = torch.rand(2, 3, 8, 6, dtype=torch.float64)
    deep = torch.ones(2, 3, 4, 3, dtype=torch.float64)
    gated, open_ = (fuse_layers([shallow, deep], [0.4, 0.6], gate) for gate in (True, False))
    torch.testing.assert_close(gated, open_, rtol=1e-12, atol=0)


def test_layers_that_agree_keep_their_map_through_the_gate():
    """A product would square it: what was above a threshold would no longer be."""
    one = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    one /= one.amax(dim=(2, 3), keepdim=True)
    fused = fuse_layers([one, one, one], [0.2, 0.3, 0.5], gate=True)
    torch.testing.assert_close(fused, one, rtol=1e-12, atol=0)


def test_detail_cannot_fire_where_the_deepest_map_is_silent():
    shallow = torch.rand(1, 1, 8, 8, dtype=torch.float64) + 0.5
    deep = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    deep[..., :2] = 1
    fused = fuse_layers([shallow, deep], [0.5, 0.5], gate=True)
    assert (fused[..., 5:] == 0).all()
    assert (fused[..., :3] > 0).all()
    assert (fuse_layers([shallow, deep], [0.5, 0.5], gate=False)[..., 5:] > 0).all()


def test_opponents_that_fill_up_a_row_do_not_count():
    maps = torch.rand(1, 2, 3, 4, 4, dtype=torch.float64)
    real = torch.tensor([[[True, True, False], [True, True, True]]])
    for how, reduce in (("mean", torch.mean), ("max", torch.amax)):
        found = fuse_opponents(maps, real, how)
        torch.testing.assert_close(found[0, 0], reduce(maps[0, 0, :2], dim=0), rtol=1e-12, atol=0)
        torch.testing.assert_close(found[0, 1], reduce(maps[0, 1], dim=0), rtol=1e-12, atol=0)


def test_each_pair_learns_from_images_that_have_exactly_one_of_the_two():
    tags = torch.tensor([[1, 0, 0], [0, 1, 1], [1, 1, 0], [1, 0, 1]], dtype=torch.float64)
    targets, opponents = torch.tensor([0, 1, 0]), torch.tensor([1, 0, 2])
    heads = PairHeads(targets, opponents, 3, 6).double()
    torch.nn.init.normal_(heads.weight, generator=torch.Generator().manual_seed(0))
    pooled = torch.rand(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    loss = pair_logistic_loss(heads(pooled), tags, targets, opponents)
    expected = 0.0
    for pair, (one, other) in enumerate(zip(targets, opponents, strict=True)):
        losses = []
        for image in range(4):
            if tags[image, one] + tags[image, other] == 1:
                logits = torch.stack([pooled[image] @ row for row in heads.weight[pair]])
                right = 0 if tags[image, one] == 1 else 1
                losses.append(logits.exp().sum().log() - logits[right])
        expected = expected + sum(losses) / len(losses)
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=0)
    none = pair_logistic_loss(heads(pooled), torch.ones_like(tags), targets, opponents)
    assert none.item() == 0


def test_a_model_without_pair_heads_is_refused(toy):
    with pytest.raises(WsssError, match="against its representative opponents"):
        Meng().check(toy)


def test_wrong_layers_and_weights_are_named(toy_opposed):
    with pytest.raises(WsssError, match="no inner layer is called '7'"):
        Meng(layers=("0", "7")).check(toy_opposed)
    with pytest.raises(WsssError, match="expected 3 weights"):
        Meng(layer_weights=(0.5, 0.5)).check(toy_opposed)
    with pytest.raises(ValueError, match=r"list of names, such as \[layer4\]"):
        Meng(layers="layer4")
    with pytest.raises(ValueError, match="'mean', 'max'"):
        Meng(opponents="median")
