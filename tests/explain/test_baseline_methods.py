"""Baselines are drawn by seed, image and class, and see nothing else."""

import pytest
import torch

from wsss.explain.baseline_methods import BASELINES, CentredGaussian, RandomMap
from wsss.models import SplitClassifier, TimmBackbone


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return SplitClassifier.linear(TimmBackbone("resnet18"), 4).eval()


@pytest.fixture(scope="module")
def images():
    return torch.rand(3, 3, 96, 160, generator=torch.Generator().manual_seed(1))


CLASSES = torch.tensor([[0, 1], [2, 2], [3, 0]])


def test_noise_depends_on_image_class_and_seed_alone(model, images):
    maps = RandomMap()(model, images, CLASSES)
    assert maps.shape == (3, 2, *model.features(images).shape[2:])
    assert torch.equal(maps[1, 0], maps[1, 1])
    assert not torch.equal(maps[0, 0], maps[0, 1])
    assert not torch.equal(maps[0, 1], maps[2, 1])
    alone = RandomMap()(model, images[2:], CLASSES[2:])
    assert torch.equal(alone[0], maps[2])
    assert not torch.equal(RandomMap(seed=1)(model, images, CLASSES), maps)


def test_noise_is_that_of_no_weights(model, images):
    before = RandomMap()(model, images, CLASSES)
    torch.manual_seed(9)
    other = SplitClassifier.linear(TimmBackbone("resnet18"), 4).eval()
    assert torch.equal(RandomMap()(other, images, CLASSES), before)


def test_the_gaussian_s_spread_is_a_quarter_of_each_side(model, images):
    maps = CentredGaussian()(model, images, CLASSES)
    height, width = maps.shape[2:]
    assert (maps == maps[0, 0]).all()
    rows = (torch.arange(height) + 0.5) / height - 0.5
    columns = (torch.arange(width) + 0.5) / width - 0.5
    expected = torch.exp(-8 * (rows[:, None] ** 2 + columns[None] ** 2))  # 1 / (2 · 0.25²) = 8
    torch.testing.assert_close(maps[0, 0], expected)


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_baselines_take_no_gradient_and_leave_no_random_state(model, images, name):
    state = torch.get_rng_state()
    maps = BASELINES[name](model, images, CLASSES)
    assert not maps.requires_grad
    assert torch.equal(torch.get_rng_state(), state)
