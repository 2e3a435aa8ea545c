import copy

import numpy as np
import pytest
import torch

from wsss.cams.cam import CAM, class_activation_maps
from wsss.cams.core.multiscale import multiscale_maps
from wsss.cams.core.postprocess import normalise_max, normalise_minmax, resize
from wsss.models import SplitClassifier, TimmBackbone


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    backbone = TimmBackbone("tf_efficientnet_lite0", "package")
    return SplitClassifier.linear(backbone, 5).eval()


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(0, 256, (2, 3, 64, 96), dtype=np.uint8))


CLASSES = torch.tensor([[0, 3], [4, 4]])


def test_maps_are_weighted_sums_of_features(model, images):
    model = copy.deepcopy(model).double()
    with torch.inference_mode():
        maps = CAM()(model, images.double() / 255, CLASSES)
        features = model.features(images.double() / 255)
    weight = model.head.weight.detach()
    expected = torch.stack(
        [torch.einsum("nk,khw->nhw", weight[c], f) for c, f in zip(CLASSES, features, strict=True)]
    )
    assert maps.shape == (2, 2, 4, 6)
    np.testing.assert_allclose(maps.numpy(), expected.numpy(), rtol=1e-9, atol=1e-9)


def test_the_mean_of_a_map_is_the_logit(model, images):
    model = copy.deepcopy(model).double()
    with torch.inference_mode():
        maps = CAM()(model, images.double() / 255, CLASSES)
        logits = model(images.double() / 255)
    np.testing.assert_allclose(
        maps.mean(dim=(2, 3)).numpy(), logits.gather(1, CLASSES).numpy(), rtol=1e-9, atol=1e-9
    )


def test_a_mirrored_image_has_mirrored_seeds(model, images):
    sizes = [(16, 24)] * 2
    with torch.inference_mode():
        maps = multiscale_maps(model, CAM(), [images], CLASSES, sizes)
        mirrored = multiscale_maps(model, CAM(), [images.flip(-1)], CLASSES, sizes)
    for one, other in zip(maps, mirrored, strict=True):
        np.testing.assert_allclose(one.numpy(), other.flip(-1).numpy(), atol=1e-4)


def test_passes_are_rectified_summed_and_divided_by_their_maximum(model, images):
    levels = [images, torch.nn.functional.interpolate(images.float(), scale_factor=1.5).byte()]
    with torch.inference_mode():
        found = multiscale_maps(model, CAM(), levels, CLASSES, [(16, 24), (13, 7)], flip=True)
        for index, size in enumerate([(16, 24), (13, 7)]):
            total = torch.zeros(2, *size)
            for level in levels:
                for flip in (False, True):
                    x = (level.flip(-1) if flip else level)[index : index + 1].float() / 255
                    one = CAM()(model, x, CLASSES[index : index + 1]).clamp(min=0)
                    one = one.flip(-1) if flip else one
                    total += torch.nn.functional.interpolate(one, size, mode="bilinear")[0]
            expected = total / total.amax(dim=(1, 2), keepdim=True)
            np.testing.assert_allclose(found[index].numpy(), expected.numpy(), atol=2e-4)
            assert found[index].max() == pytest.approx(1, abs=1e-3)


def random(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


EVERY_CLASS = torch.arange(5).expand(2, 5)


def test_maps_are_sums_over_channels_in_loops():
    features, weight = random(2, 16, 7, 6), random(5, 16, seed=1)
    found = class_activation_maps(features, weight, CLASSES)
    for image in range(2):
        for n, c in enumerate(CLASSES[image]):
            expected = sum(weight[c, k] * features[image, k] for k in range(16))
            torch.testing.assert_close(found[image, n], expected, rtol=1e-12, atol=1e-12)


def test_maps_are_linear_in_features_and_in_weights():
    one, other = random(2, 2, 16, 7, 6)
    weight, more = random(2, 5, 16, seed=1)

    def maps(features, weights):
        return class_activation_maps(features, weights, EVERY_CLASS)

    for found, expected in (
        (maps(2 * one - 3 * other, weight), 2 * maps(one, weight) - 3 * maps(other, weight)),
        (maps(one, 2 * weight - 3 * more), 2 * maps(one, weight) - 3 * maps(one, more)),
    ):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_classes_that_swap_their_weights_swap_their_maps(toy, toy_images, every_class):
    order = [0, 3, 2, 1, 4]
    before = CAM()(toy, toy_images, every_class)
    with torch.no_grad():
        toy.head.linear.weight.copy_(toy.head.weight[order])
    after = CAM()(toy, toy_images, every_class)
    torch.testing.assert_close(after, before[:, order], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [(7, 6), (13, 17)])
def test_constant_features_have_constant_maps_that_stretching_makes_zeros(size, dtype):
    features = random(2, 512, 1, 1).abs().to(dtype).expand(-1, -1, *size)
    weight = random(5, 512, seed=1).abs().to(dtype)
    maps = class_activation_maps(features, weight, EVERY_CLASS)
    error = 512 * torch.finfo(dtype).eps  # Of terms of one sign, added up in any order.
    torch.testing.assert_close(maps, maps[..., :1, :1].expand_as(maps), rtol=error, atol=0)
    for resized in (maps, resize(maps, (224, 200))):
        assert (normalise_minmax(resized) == 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(5))
def test_equal_sums_in_any_order_are_a_constant_map(seed, dtype):
    rng = np.random.default_rng(seed)
    terms = np.sort(rng.random(512).astype(dtype))
    orders = [terms, terms[::-1], *(rng.permutation(terms) for _ in range(498))]
    sums = np.cumsum(orders, axis=1, dtype=dtype)[:, -1]  # One after the other.
    assert np.ptp(sums) > 8 * np.finfo(dtype).eps * sums.max()
    maps = torch.from_numpy(sums.reshape(1, 20, 25))
    assert (normalise_minmax(maps) == 0).all()
    assert (normalise_minmax(maps.flatten(1), dim=-1) == 0).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_a_map_that_varies_by_more_than_rounding_is_stretched(dtype):
    step = max(8 * torch.finfo(dtype).eps, 128 * torch.finfo(torch.float32).eps)
    if dtype == torch.float64:
        step = 128 * torch.finfo(dtype).eps
    maps = torch.tensor([[[1.0, 1 + step, 1 + step / 2]]], dtype=dtype)
    np.testing.assert_allclose(normalise_minmax(maps).double(), [[[0, 1, 0.5]]], atol=0.01)


def test_nothing_stays_nothing():
    zeros = torch.zeros(2, 3, 3)
    assert (normalise_max(zeros) == 0).all()
    assert (normalise_minmax(zeros + 5) == 0).all()


def test_what_varies_little_is_stretched_all_the_same():
    maps = 0.001 + 1e-8 * torch.arange(6).view(1, 2, 3)  # As probabilities among many classes.
    np.testing.assert_allclose(normalise_minmax(maps)[0], np.arange(6).reshape(2, 3) / 5, atol=0.01)


def test_minmax_spans_zero_to_one():
    maps = torch.tensor([[[2.0, 4.0], [3.0, 6.0]]])
    np.testing.assert_allclose(normalise_minmax(maps)[0], [[0, 0.5], [0.25, 1]])


def test_resize_aligns_pixel_centres():
    row = torch.tensor([[[[0.0, 4.0]]]])
    np.testing.assert_allclose(resize(row, (1, 4))[0, 0, 0], [0, 1, 3, 4])
