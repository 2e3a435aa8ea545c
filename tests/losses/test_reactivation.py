import math

import pytest
import torch

from wsss.losses import reactivation_loss
from wsss.losses.reactivation import activation_masks, masked_pooling

IMAGES, CHANNELS, CLASSES, HEIGHT, WIDTH = 4, 6, 5, 4, 3


@pytest.fixture
def batch():
    """Features that a ReLU made, both classifiers' weights, and tags: two, one, none and three."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    features = normal(IMAGES, CHANNELS, HEIGHT, WIDTH).relu()
    tags = torch.tensor(
        [[1, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0], [1, 0, 1, 0, 1]], dtype=torch.float64
    )
    return features, normal(CLASSES, CHANNELS), normal(CLASSES, CHANNELS), tags


def naive_loss(features, first, second, tags):
    """Steps 2 to 4 of the specification, one image, class, channel and pixel after another."""
    total = torch.zeros((), dtype=torch.float64)
    for image in range(IMAGES):
        present = [c for c in range(CLASSES) if tags[image, c] == 1]
        losses = []
        for target in present:
            pixels = [(i, j) for i in range(HEIGHT) for j in range(WIDTH)]
            activation = {}
            for i, j in pixels:
                summed = sum(first[target, k] * features[image, k, i, j] for k in range(CHANNELS))
                activation[i, j] = summed.clamp(min=0)
            largest = max(activation.values())
            mask = {pixel: value / (largest + 1e-5) for pixel, value in activation.items()}
            pooled = [
                sum(mask[i, j] * features[image, k, i, j] for i, j in pixels) / len(pixels)
                for k in range(CHANNELS)
            ]
            logits = [
                sum(second[c, k] * pooled[k] for k in range(CHANNELS)) for c in range(CLASSES)
            ]
            losses.append(torch.stack([z.exp() for z in logits]).sum().log() - logits[target])
        if losses:
            total = total + sum(losses) / len(losses)
    return total / IMAGES


def test_the_loss_and_its_gradients_are_those_of_the_formulas(batch):
    *inputs, tags = batch
    inputs = [one.clone().requires_grad_() for one in inputs]
    expected = naive_loss(*inputs, tags)
    found = reactivation_loss(*inputs, tags)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
    for one, other in zip(
        torch.autograd.grad(found, inputs), torch.autograd.grad(expected, inputs), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_a_second_classifier_of_zeros_costs_the_log_of_the_number_of_classes(batch):
    features, first, second, tags = batch
    loss = reactivation_loss(features, first, torch.zeros_like(second), tags[[0, 1, 0, 3]])
    assert loss.item() == pytest.approx(math.log(CLASSES), rel=1e-12)


def test_the_first_classifier_learns_through_the_mask(batch):
    features, first, second, tags = batch
    first.requires_grad_()
    (gradient,) = torch.autograd.grad(reactivation_loss(features, first, second, tags), first)
    present = tags.sum(dim=0) > 0
    assert (gradient[present].abs().sum(dim=1) > 1e-6).all()
    assert (gradient[~present] == 0).all()


def test_absent_classes_have_no_loss(batch):
    features, first, second, tags = batch
    tags = tags.clone()
    tags[:, 4] = 0
    other = first.clone()
    other[4] = -3 * first[4] + 1
    loss = reactivation_loss(features, first, second, tags)
    assert reactivation_loss(features, other, second, tags) == loss
    other[0] += 1
    assert reactivation_loss(features, other, second, tags) != loss


def test_images_without_labels_cost_nothing_and_count(batch):
    features, first, second, tags = batch
    second.requires_grad_()
    none = reactivation_loss(features, first, second, torch.zeros_like(tags))
    assert none.item() == 0
    assert (torch.autograd.grad(none, second)[0] == 0).all()
    labelled = [0, 1, 3]
    others = reactivation_loss(features[labelled], first, second, tags[labelled])
    loss = reactivation_loss(features, first, second, tags)
    torch.testing.assert_close(loss * 4, others * 3, rtol=1e-12, atol=0)


def test_a_mask_of_ones_pools_the_whole_map(batch):
    features = batch[0]
    masks = torch.ones(IMAGES, CLASSES, HEIGHT, WIDTH, dtype=torch.float64)
    pooled = masked_pooling(features, masks)
    expected = features.mean(dim=(2, 3))[:, None].expand(-1, CLASSES, -1)
    torch.testing.assert_close(pooled, expected, rtol=1e-12, atol=1e-15)


def test_pooling_equals_the_literal_product(batch):
    features, first, *_ = batch
    masks = activation_masks(features, first)
    literal = (masks[:, :, None] * features[:, None]).mean(dim=(3, 4))
    torch.testing.assert_close(masked_pooling(features, masks), literal, rtol=1e-12, atol=1e-15)


def test_no_tensor_has_classes_channels_and_pixels(largest_tensor):
    features, tags = torch.rand(2, 60, 9, 10), torch.ones(2, 20)
    weights = [torch.rand(20, 60, requires_grad=True) for _ in range(2)]

    def learn():
        reactivation_loss(features.requires_grad_(), *weights, tags).backward()

    assert largest_tensor(learn) <= features.numel()


def test_masks_reach_from_zero_to_one(batch):
    features, first, *_ = batch
    first[2] = -first[2].abs()  # Features are not negative: this class is nowhere.
    masks = activation_masks(features, first)
    assert (masks >= 0).all()
    assert (masks[:, 2] == 0).all()
    for peak, mask in zip(masks.amax(dim=(2, 3)).flatten(), masks.flatten(0, 1), strict=True):
        assert peak == pytest.approx(1, abs=1e-4) or (mask == 0).all()


def overlap(weight, features):
    """Mean over images of Σ min / Σ max of the two classes' masks."""
    masks = activation_masks(features, weight)
    shared = masks.amin(dim=1).sum(dim=(1, 2)) / masks.amax(dim=1).sum(dim=(1, 2))
    return shared.mean().item()


def test_maps_of_classes_that_occur_together_overlap_less_after_the_second_stage():
    # Channels 0 and 1 are the two objects, channel 2 is what both stand on. Tags do not tell the
    # ground from the objects; most images show both.
    features = torch.zeros(12, 3, 4, 4, dtype=torch.float64)
    features[:, 0, 0, :2] = 1
    features[:, 1, 0, 2:] = 1
    features[:, 2, 1:] = 1
    tags = torch.ones(12, 2, dtype=torch.float64)
    features[8:10, 1] = tags[8:10, 1] = 0
    features[10:, 0] = tags[10:, 0] = 0

    def trained(loss_weight):
        first = torch.tensor([[1.0, 0.0, 0.8], [0.0, 1.0, 0.8]], dtype=torch.float64)
        generator = torch.Generator().manual_seed(0)
        second = 0.1 * torch.randn(2, 3, generator=generator, dtype=torch.float64)
        weights = [first.requires_grad_(), second.requires_grad_()]
        before = overlap(first.detach(), features[:8])
        optimizer = torch.optim.SGD(weights, lr=1.0)
        for _ in range(60):
            optimizer.zero_grad()
            loss = torch.nn.functional.multilabel_soft_margin_loss(
                features.mean(dim=(2, 3)) @ first.mT, tags
            )
            loss = loss + loss_weight * reactivation_loss(features, first, second, tags)
            loss.backward()
            optimizer.step()
        return before, overlap(first.detach(), features[:8]), (first * second).detach()

    before, after, product = trained(loss_weight=1)
    assert after < 0.5 * before
    assert overlap(product, features[:8]) < 0.5 * before
    before, after, _ = trained(loss_weight=0)
    assert after > 0.9 * before  # Tags alone do not do it.
