import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from wsss.cams.fd_cam import (
    FDCAM,
    channel_weights,
    pooled_switching_scores,
    similar_channels,
    switching_scores,
)
from wsss.models import SplitClassifier


def some_activations(channels, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(channels, 7, 6, dtype=torch.float64, generator=generator).relu()


def naive_groups(activations, quantile):
    flat = [channel.flatten().tolist() for channel in activations]
    groups = []
    for k in range(len(flat)):
        cosines = []
        for j in range(len(flat)):
            dot = sum(a * b for a, b in zip(flat[k], flat[j], strict=True))
            norms = math.hypot(*flat[k]) * math.hypot(*flat[j])
            cosines.append(dot / norms if norms > 0 else 0.0)
        threshold = torch.tensor(cosines, dtype=torch.float64).quantile(quantile).item()
        groups.append({j for j, cosine in enumerate(cosines) if cosine > threshold} or {k})
    return groups


def naive_minmax(values):
    low, high = min(values), max(values)
    return [(value - low) / (high - low) if high > low else 0.0 for value in values]


def naive_map(model, image, label, quantile):
    activations = model.features(image[None])[0].detach().requires_grad_()
    logit = model.head(activations[None])[0, label]
    (gradients,) = torch.autograd.grad(logit, activations)
    scores = []
    for group in naive_groups(activations.detach(), quantile):
        only, without = activations.detach().clone(), activations.detach().clone()
        for j in range(len(activations)):
            (without if j in group else only)[j] = 0
        on = model.head(only[None])[0, label]
        off = logit - model.head(without[None])[0, label]
        scores.append((on + off).item())
    slopes = naive_minmax([gradient.mean().item() for gradient in gradients])
    result = image.new_zeros(activations.shape[1:])
    for k, score in enumerate(naive_minmax(scores)):
        result += (math.exp(score) * slopes[k] - 0.5) * activations[k].detach()
    return result


@pytest.mark.parametrize("quantile", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_maps_are_those_of_a_naive_loop(toy, toy_mlp, toy_images, toy_classes, quantile, kind):
    model = toy if kind == "linear" else toy_mlp
    found = FDCAM(quantile=quantile, chunk_rows=5)(model, toy_images, toy_classes)
    for b in range(3):
        for n in range(2):
            expected = naive_map(model, toy_images[b], toy_classes[b, n], quantile)
            assert_close(found[b, n], expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("quantile", [0.0, 0.3, 0.75, 0.95])
@pytest.mark.parametrize("channels", [16, 21])
def test_groups_are_those_above_the_quantile(channels, quantile):
    activations = some_activations(channels)
    groups = similar_channels(activations, quantile)
    assert [set(row.nonzero().flatten().tolist()) for row in groups] == naive_groups(
        activations, quantile
    )


@pytest.mark.parametrize(("channels", "size"), [(512, 26), (2048, 103)])
def test_without_ties_every_group_has_the_same_size_and_its_channel(channels, size):
    groups = similar_channels(some_activations(channels), 0.95)
    assert channels - 1 - math.floor((channels - 1) * 0.95) == size
    assert (groups.sum(dim=1) == size).all()
    assert groups.diagonal().all()


def test_duplicated_channels_share_a_group():
    activations = some_activations(40)
    activations[7] = activations[31]
    groups = similar_channels(activations, 0.9)
    assert groups[7, 31] == groups[31, 7] == 1
    assert_close(groups[7], groups[31])


def test_dead_or_equal_channels_are_groups_of_their_own():
    activations = some_activations(8)
    activations[3] = 0
    assert similar_channels(activations, 0.95)[3].tolist() == [0, 0, 0, 1, 0, 0, 0, 0]
    assert_close(similar_channels(torch.zeros_like(activations), 0.95), torch.eye(8).double())
    # Exactly equal cosines: one cell a channel, so that they are exactly 1.
    equal = torch.full((8, 1, 1), 2.0, dtype=torch.float64)
    assert_close(similar_channels(equal, 0.95), torch.eye(8).double())


@pytest.mark.parametrize("chunk_rows", [1, 5, 16, 100])
def test_scores_of_a_linear_head_have_a_closed_form(toy, toy_images, chunk_rows):
    with torch.no_grad():
        features = toy.features(toy_images)[0]
        groups = similar_channels(features, 0.7)
        literal = switching_scores(toy.head, features, groups, chunk_rows)
        closed = pooled_switching_scores(toy.head, features, groups)
        assert_close(closed, literal, rtol=1e-9, atol=1e-12)
        means = features.mean(dim=(1, 2))
        for k, group in enumerate(groups):
            for c in range(5):
                weight, bias = toy.head.weight[c], toy.head.bias[c]
                by_hand = 2 * sum(weight[j] * means[j] for j in group.nonzero().flatten()) + bias
                assert_close(closed[k, c], by_hand, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("quantile", [0.5, 0.8])
def test_the_map_of_a_linear_head_has_a_closed_form(toy, toy_images, toy_classes, quantile):
    found = FDCAM(quantile=quantile)(toy, toy_images, toy_classes)
    weight, bias = toy.head.weight.detach(), toy.head.bias.detach()
    for b, own in enumerate(toy_classes.tolist()):
        leaf = toy.features(toy_images[b, None]).detach().requires_grad_()
        logits, features = toy.head(leaf), leaf.detach()[0]
        means, groups = features.mean(dim=(1, 2)), naive_groups(features, quantile)
        for n, c in enumerate(own):
            (gradient,) = torch.autograd.grad(logits[0, c], leaf, retain_graph=True)
            slopes = weight[c] / 42
            assert_close(gradient[0].mean(dim=(1, 2)), slopes, rtol=1e-12, atol=0)
            scores = [float(2 * sum(weight[c, j] * means[j] for j in g) + bias[c]) for g in groups]
            pairs = zip(naive_minmax(scores), naive_minmax(slopes.tolist()), strict=True)
            weights = [math.exp(score) * slope - 0.5 for score, slope in pairs]
            assert min(weights) == -0.5
            expected = sum(w * channel for w, channel in zip(weights, features, strict=True))
            assert_close(found[b, n], expected, rtol=1e-9, atol=1e-11)


def test_a_quantile_near_one_switches_single_channels(toy, toy_images):
    with torch.no_grad():
        features = toy.features(toy_images)[0]
        alive = features.flatten(1).any(dim=1)
        groups = similar_channels(features, 0.999)
        assert_close(groups, torch.eye(16).to(features))
        scores = pooled_switching_scores(toy.head, features, groups)
        expected = 2 * (toy.head.weight * features.mean(dim=(1, 2))).T + toy.head.bias
    assert alive.sum() > 8
    assert_close(scores, expected, rtol=1e-9, atol=1e-12)


def test_weights_span_their_range():
    generator = torch.Generator().manual_seed(3)
    scores, slopes = torch.randn(2, 4, 50, dtype=torch.float64, generator=generator)
    weights = channel_weights(scores, slopes)
    assert ((weights >= -0.5) & (weights <= math.e - 0.5)).all()
    assert_close(
        channel_weights(scores, scores).amax(dim=1), torch.full((4,), math.e - 0.5).double()
    )


def test_constant_scores_or_gradients_count_as_zeros():
    constant = torch.full((2, 6), 0.1, dtype=torch.float64).cumsum(dim=0)
    wobbly = constant * (1 + torch.tensor([0, 2e-15, 0, -2e-15, 0, 0]))
    rising = torch.arange(12, dtype=torch.float64).view(2, 6)
    stretched = torch.arange(6).double() / 5
    for flat in (constant, wobbly, torch.zeros(2, 6).double()):
        assert_close(channel_weights(flat, rising), (stretched - 0.5).expand(2, -1))
        assert_close(channel_weights(rising, flat), torch.full((2, 6), -0.5).double())


class Opaque(nn.Module):
    """A linear head whose kind is hidden, so that it is run literally."""

    num_classes = 5

    def __init__(self, head):
        super().__init__()
        self.head = head

    def forward(self, features):
        return self.head(features)


def test_literal_passes_give_the_maps_of_the_closed_form(toy, toy_images, toy_classes):
    literal = SplitClassifier(toy.features, Opaque(toy.head))
    assert_close(
        FDCAM(quantile=0.8, chunk_rows=3)(literal, toy_images, toy_classes),
        FDCAM(quantile=0.8)(toy, toy_images, toy_classes),
        rtol=1e-9,
        atol=1e-11,
    )


def test_a_batch_has_the_maps_of_its_images(toy_mlp, toy_images, toy_classes):
    together = FDCAM(quantile=0.8)(toy_mlp, toy_images, toy_classes)
    for index in range(3):
        alone = FDCAM(quantile=0.8)(
            toy_mlp, toy_images[index : index + 1], toy_classes[index : index + 1]
        )
        assert_close(together[index : index + 1], alone, rtol=1e-9, atol=1e-11)


def test_dead_features_have_finite_maps(toy, toy_images, toy_classes):
    with torch.no_grad():
        toy.features.network[2][0].weight.zero_()
        toy.features.network[2][0].bias.fill_(-1)
    assert (FDCAM()(toy, toy_images, toy_classes) == 0).all()


@pytest.mark.parametrize(
    "options", [{"quantile": 1.0}, {"quantile": -0.1}, {"chunk_rows": 0}], ids=str
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="expected"):
        FDCAM(**options)
