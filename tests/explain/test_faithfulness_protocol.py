from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from wsss.cams.cam import CAM
from wsss.cams.gradcam import GradCAM
from wsss.explain.counted_passes import images_per_pass
from wsss.explain.faithfulness_protocol import (
    Protocol,
    judge,
    labelled_classes,
    passes_of_pair,
    predicted_class,
    unit_maps,
)
from wsss.metrics.explanation.replacement_images import Blur, black
from wsss.models import LinearHead, SplitClassifier, TimmBackbone
from wsss.models.normalisation import Normalisation

NUM_CLASSES = 4
FAST = Protocol(class_rule=labelled_classes, curves=False)


class Features(nn.Module):
    def __init__(self):
        super().__init__()
        self.normalise = Normalisation([0.4, 0.5, 0.6], [0.2, 0.25, 0.3])
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 6, 3, padding=1)
        )

    def forward(self, images):
        return self.layers(self.normalise(images)).relu()


@pytest.fixture
def model(device):
    torch.manual_seed(0)
    head = LinearHead(6, NUM_CLASSES, bias=True)
    head.linear.weight.data.abs_()  # No map is zero everywhere.
    return SplitClassifier(Features(), head).to(device).double().eval()


@pytest.fixture
def images(device):
    rng = torch.Generator().manual_seed(1)
    return torch.rand(3, 3, 12, 14, dtype=torch.float64, generator=rng).to(device)


PAIRS = [(0, 0), (0, 3), (1, 2)]


@pytest.fixture
def tags(device):
    return torch.tensor([[1, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]], dtype=torch.bool, device=device)


def by_hand(model, image, label, size=(12, 14)):
    """Probability, map, image times map and image times one minus map; in normalised space."""
    mean, std = model.features.normalise.mean, model.features.normalise.std

    def run(normalised):
        features = model.features.layers(normalised[None]).relu()
        raw = torch.einsum("k,khw->hw", model.head.weight[label], features[0]).clamp(min=0)
        maps = nn.functional.interpolate(raw[None, None], size=size, mode="bilinear")[0, 0]
        maps = (maps - maps.min()) / (maps.max() - maps.min()) if maps.max() > 0 else 0 * maps
        return model.head(features).sigmoid()[0, label], maps

    normalised = (image - mean) / std
    whole, maps = run(normalised)
    kept, maps_of_kept = run(normalised * maps)
    deleted, _ = run(normalised * (1 - maps))
    return whole, kept, deleted, maps, maps_of_kept


@torch.no_grad()
def test_scores_are_those_of_masked_images_run_one_by_one(model, images, tags):
    scores = judge(model, CAM(), images, tags, FAST)
    for index, (image, label) in enumerate(PAIRS):
        whole, kept, deleted, maps, maps_of_kept = by_hand(model, images[image], label)
        torch.testing.assert_close(scores.whole[index], whole, rtol=1e-9, atol=0)
        torch.testing.assert_close(scores.kept[index], kept, rtol=1e-9, atol=0)
        torch.testing.assert_close(scores.deleted[index], deleted, rtol=1e-9, atol=0)
        torch.testing.assert_close(scores.complexity[index], maps.mean(), rtol=1e-9, atol=0)
        pearson = np.corrcoef(maps.flatten().cpu(), maps_of_kept.flatten().cpu())[0, 1]
        assert float(scores.coherency[index]) == pytest.approx((1 + pearson) / 2)


@torch.no_grad()
def test_the_batch_size_changes_nothing(model, images, tags):
    protocol = replace(FAST, curves=True, step=40)
    whole = judge(model, CAM(), images, tags, protocol)
    parts = judge(model, CAM(), images, tags, replace(protocol, batch_size=2))
    for name in ("whole", "kept", "deleted", "complexity", "coherency", "deletion", "insertion"):
        torch.testing.assert_close(getattr(whole, name), getattr(parts, name), rtol=1e-9, atol=0)


def test_predicted_classes_are_the_most_probable_ones():
    probabilities = torch.tensor([[0.2, 0.9, 0.1], [0.5, 0.1, 0.6]])
    images, classes = predicted_class(probabilities, torch.zeros(2, 3, dtype=torch.bool))
    assert images.tolist() == [0, 1]
    assert classes.tolist() == [1, 2]


def test_labelled_classes_are_all_tags(tags):
    images, classes = labelled_classes(torch.zeros(3, NUM_CLASSES), tags)
    assert list(zip(images.tolist(), classes.tolist(), strict=True)) == PAIRS


def test_images_without_tags_have_no_pairs(model, images, tags):
    scores = judge(model, CAM(), images, torch.zeros_like(tags), Protocol(labelled_classes))
    assert len(scores.whole) == len(scores.coherency) == 0


@torch.no_grad()
def test_what_hides_parts_can_be_chosen(model, images, tags):
    found = judge(model, CAM(), images, tags, replace(FAST, fill=black))
    for index, (image, label) in enumerate(PAIRS):
        maps = by_hand(model, images[image], label)[3]
        kept = model((images[image] * maps)[None]).sigmoid()[0, label]
        torch.testing.assert_close(found.kept[index], kept, rtol=1e-9, atol=0)
    blurred = judge(model, CAM(), images, tags, replace(FAST, fill=Blur()))
    assert (blurred.kept != found.kept).all()


@torch.no_grad()
def test_own_resolution_looks_at_the_maps_before_resizing(model, images, tags):
    found = judge(model, CAM(), images, tags, replace(FAST, own_resolution=True, curves=True))
    for index, (image, label) in enumerate(PAIRS):
        raw = CAM()(model, images[image, None], torch.tensor([[label]], device=images.device))[0]
        maps = unit_maps(raw, (6, 7))[0]
        torch.testing.assert_close(found.complexity[index], maps.mean(), rtol=1e-9, atol=0)
        order = maps.flatten().argsort(descending=True, stable=True)
        picture, curve = images[image].clone(), []
        mean = model.features.normalise.mean.expand(3, 12, 14)
        for cell in [None, *order.tolist()]:
            if cell is not None:
                y, x = 2 * (cell // 7), 2 * (cell % 7)
                picture[:, y : y + 2, x : x + 2] = mean[:, y : y + 2, x : x + 2]
            curve.append(float(model(picture[None]).sigmoid()[0, label]))
        area = (sum(curve) - (curve[0] + curve[-1]) / 2) / 42
        assert float(found.deletion[index]) == pytest.approx(area, rel=1e-9)


@torch.no_grad()
def test_insertion_begins_with_the_blurred_image(model, images, tags):
    start = Blur()(images[1:2])
    protocol = replace(FAST, curves=True, step=12 * 14)  # one step: two points
    found = judge(model, CAM(), images[1:2], tags[1:2], protocol)
    ends = [float(model(one).sigmoid()[0, 2]) for one in (start, images[1:2])]
    assert float(found.insertion) == pytest.approx(sum(ends) / 2)


def test_maps_are_rectified_only_when_asked():
    maps = torch.tensor([[[-1.0, 0.0], [0.0, 1.0]]])
    assert unit_maps(maps, (2, 2)).tolist() == [[[0, 0], [0, 1]]]
    assert unit_maps(maps, (2, 2), rectify=False).tolist() == [[[0, 0.5], [0.5, 1]]]


def unbatched(model, method, image, label):
    """Scores of a map by one image a pass: probabilities as plain floats, areas as sums."""

    def confidence(one):
        return float(model.probabilities(model(one[None]))[0, label])

    def unit_map(one):
        raw = method(model, one[None], torch.tensor([[label]]))
        return unit_maps(raw[0], image.shape[1:])[0]

    def area(start, finish, order, step=224):
        picture, curve = start.clone(), [confidence(start)]
        for first in range(0, len(order), step):
            cells = order[first : first + step]
            picture.flatten(1)[:, cells] = finish.flatten(1)[:, cells]
            curve.append(confidence(picture))
        return float(np.trapezoid(curve, dx=1 / (len(curve) - 1)))

    heat = unit_map(image)
    order = np.lexsort((np.arange(heat.numel()), -heat.flatten().numpy())).copy()
    mean = model.features.normalise.mean.expand_as(image)
    kept, deleted = image * heat + mean * (1 - heat), image * (1 - heat) + mean * heat
    return {
        "whole": confidence(image),
        "kept": confidence(kept),
        "deleted": confidence(deleted),
        "complexity": float(heat.mean()),
        "coherency": (1 + np.corrcoef(heat.flatten(), unit_map(kept).flatten())[0, 1]) / 2,
        "deletion": area(image, mean.clone(), order),
        "insertion": area(Blur()(image[None])[0], image, order),
    }


@torch.no_grad()
def test_batches_in_32_bit_give_the_scores_of_single_images_in_64_bit():
    """Float32 has 24 bits: after fifty layers 1e-5 of a logit, of which a probability keeps less.

    An image of a curve differs where two pixels have all but equal values: by single pixels.
    """
    torch.manual_seed(0)
    backbone = TimmBackbone("tf_efficientnet_lite0", "package")
    model = SplitClassifier.linear(backbone, 3).eval()
    model.head.linear.weight.data.abs_().mul_(3)
    rng = torch.Generator().manual_seed(1)
    image = torch.nn.functional.interpolate(
        torch.rand(1, 3, 5, 6, generator=rng), (48, 64), mode="bilinear"
    )
    tags = torch.tensor([[False, False, True]])
    channels_last = model.to(memory_format=torch.channels_last)
    found = judge(channels_last, GradCAM(), image, tags, Protocol(labelled_classes))
    expected = unbatched(model.double(), GradCAM(), image[0].double(), 2)
    for name, value in expected.items():
        assert float(getattr(found, name)) == pytest.approx(value, abs=1e-4), name


def test_batches_are_bounded_by_pixels():
    cpu, other = torch.device("cpu"), torch.device("meta")
    assert [images_per_pass((side, side), cpu) for side in (32, 224, 512, 2000)] == [256, 5, 1, 1]
    assert [images_per_pass((side, side), other) for side in (224, 512, 2000)] == [41, 8, 1]


@torch.no_grad()
def test_passes_are_those_of_the_network(model, images, tags):
    seen, told = [], []
    model.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    protocol = Protocol(labelled_classes, step=40)
    judge(model, CAM(), images[1:2], tags[1:2], protocol, lambda *step: told.append(step))
    # CAM looks at the features twice, without the head.
    assert sum(seen) + 2 == passes_of_pair((12, 14), protocol) == told[-1][0] == 5 + 2 * 6
    assert [now for done, now in told if done < 5] == ["probability"] * 2 + ["map"] * 2 + [
        "coherency"] * 2 + ["drop"] * 2  # fmt: skip
    assert passes_of_pair((12, 14), replace(protocol, curves=False)) == 5
