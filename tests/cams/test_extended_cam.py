import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from wsss.cams.cam import CAM
from wsss.cams.extended_cam import ExtendedCAM
from wsss.cams.extended_cam.extended_cam import (
    conservative_weights,
    empirical_sigmas,
    gaussian_kernel,
    gaussian_upsampled,
    rescaled_to,
)
from wsss.cams.extended_cam.receptive_field import features_and_fields
from wsss.models import SplitClassifier

SIGMAS = ["erf", "stride", "empirical", 0.01, 3.0, 100.0]


@pytest.fixture
def toy_homogeneous(toy, device):
    """The same features with a head of ReLUs without biases, positively homogeneous."""

    class Head(nn.Module):
        num_classes = 5

        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(
                nn.Conv2d(16, 10, 3, bias=False),
                nn.ReLU(inplace=True),
                nn.AdaptiveMaxPool2d(2),
                nn.Flatten(),
                nn.Linear(40, 5, bias=False),
            )

        def forward(self, features):
            return self.layers(features)

    torch.manual_seed(2)
    return SplitClassifier(toy.features, Head()).to(device).double().eval()


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("align", ["grid", "rf"])
@pytest.mark.parametrize("bias", ["omit", "spread"])
def test_the_pixels_of_a_map_sum_to_the_logit(toy, toy_images, sigma, align, bias, every_class):
    explain = ExtendedCAM(sigma=sigma, align=align, bias=bias)
    maps = explain(toy, toy_images, every_class)
    assert maps.shape == (3, 5, 14, 12)
    left_out = toy.head.bias if bias == "omit" else 0
    assert_close(maps.sum(dim=(2, 3)) + left_out, toy(toy_images), rtol=1e-9, atol=1e-12)


def test_maps_of_homogeneous_heads_sum_to_the_logit(toy_homogeneous, toy_images, every_class):
    maps = ExtendedCAM()(toy_homogeneous, toy_images, every_class)
    logits = toy_homogeneous(toy_images)
    assert logits.abs().min() > 1e-4
    assert_close(maps.sum(dim=(2, 3)), logits, rtol=1e-9, atol=1e-12)


def test_maps_of_other_heads_sum_to_activations_times_gradients(toy_mlp, toy_images, every_class):
    features = toy_mlp.features(toy_images).detach().requires_grad_()
    logits = toy_mlp.head(features)
    maps = ExtendedCAM()(toy_mlp, toy_images, every_class)
    for c in range(5):
        (gradients,) = torch.autograd.grad(logits[:, c].sum(), features, retain_graph=True)
        expected = (features * gradients).sum(dim=(1, 2, 3))
        assert_close(maps[:, c].sum(dim=(1, 2)), expected.detach(), rtol=1e-9, atol=1e-12)


def test_rescaled_maps_of_other_heads_sum_to_the_logit(toy_mlp, toy_images, every_class):
    maps = ExtendedCAM(rescale=True)(toy_mlp, toy_images, every_class)
    assert_close(maps.sum(dim=(2, 3)), toy_mlp(toy_images), rtol=1e-9, atol=1e-12)
    plain = ExtendedCAM()(toy_mlp, toy_images, every_class)
    assert ((plain.sum(dim=(2, 3)) - toy_mlp(toy_images)).abs() > 1e-6).all()


def test_a_map_whose_sum_is_near_zero_is_not_rescaled():
    maps = torch.tensor([[[[1.0, -1.0]], [[1.0, 3.0]]]])
    logits = torch.tensor([[5.0, 2.0]])
    assert_close(rescaled_to(maps, logits), torch.tensor([[[[1.0, -1.0]], [[0.5, 1.5]]]]))


def test_dead_channels_have_no_weight():
    activations = torch.tensor([[[[0.0, 0.0]], [[1.0, 3.0]]]])
    gradients = torch.tensor([[[[7.0, 8.0]], [[2.0, -1.0]]]])
    assert_close(conservative_weights(activations, gradients), torch.tensor([[0.0, -0.25]]))


def test_a_tiny_width_puts_every_cell_on_the_pixel_it_is_centred_at(toy, toy_images, every_class):
    cam = CAM()(toy, toy_images, every_class)
    maps = ExtendedCAM(sigma=1e-3, align="rf")(toy, toy_images, every_class)
    # Convolutions of 3 with padding 1 and a pooling of 2: the centres are pixel edges 1, 3, 5, …
    assert_close(maps[..., ::2, ::2] * 4 * 42, cam, rtol=1e-9, atol=1e-12)
    assert_close(maps[..., 1::2, ::2], maps[..., ::2, 1::2], rtol=1e-9, atol=1e-12)
    best = maps.flatten(2).argmax(dim=2)
    assert_close((best // 12 // 2) * 6 + best % 12 // 2, cam.flatten(2).argmax(dim=2))


def test_one_hot_maps_become_truncated_gaussians():
    maps = torch.zeros(1, 1, 4, 3, dtype=torch.float64)
    maps[0, 0, 1, 2] = 1
    centres = [(torch.arange(n, dtype=torch.float64) + 0.5) * 8 for n in (4, 3)]
    sigma = torch.tensor([5.0], dtype=torch.float64)
    rows, columns = gaussian_kernel(32, centres[0], sigma), gaussian_kernel(24, centres[1], sigma)
    found = gaussian_upsampled(maps, rows, columns)[0, 0]

    def bell(pixel, centre):
        return math.exp(-((pixel + 0.5 - centre) ** 2) / (2 * 5.0**2))

    total_y = sum(bell(y, 12) for y in range(32))
    total_x = sum(bell(x, 20) for x in range(24))
    for y in range(32):
        for x in range(24):
            expected = bell(y, 12) / total_y * bell(x, 20) / total_x
            assert found[y, x].item() == pytest.approx(expected, rel=1e-12)


def test_upsampling_commutes_with_flips_on_the_grid(toy, toy_images):
    generator = torch.Generator().manual_seed(4)
    maps = torch.randn(1, 2, 7, 6, dtype=torch.float64, generator=generator)
    kernels = ExtendedCAM(sigma=3.0)._kernels(toy.features, toy_images, maps, None)
    straight = gaussian_upsampled(maps, *kernels)
    for axis in (2, 3):
        flipped = gaussian_upsampled(maps.flip(axis), *kernels)
        assert_close(flipped.flip(axis), straight, rtol=1e-9, atol=1e-12)


def test_upsampling_is_linear():
    generator = torch.Generator().manual_seed(5)
    one, other = torch.randn(2, 1, 1, 4, 4, dtype=torch.float64, generator=generator)
    centres = torch.arange(4, dtype=torch.float64) * 4
    kernel = gaussian_kernel(16, centres, torch.tensor([3.0], dtype=torch.float64))
    assert_close(
        gaussian_upsampled(2 * one - 3 * other, kernel, kernel),
        2 * gaussian_upsampled(one, kernel, kernel) - 3 * gaussian_upsampled(other, kernel, kernel),
        rtol=1e-9,
        atol=1e-12,
    )


def test_constant_maps_stay_constant_if_pixels_and_not_cells_share_out():
    # The smoother that Extended-CAM is not: it keeps constants, and no sums.
    kernel = gaussian_kernel(
        16, torch.arange(4).double() * 4 + 2, torch.tensor([3.0], dtype=torch.float64)
    )
    smoother = kernel / kernel.sum(dim=2, keepdim=True)
    constant = torch.full((1, 1, 4, 4), 5.0, dtype=torch.float64)
    smooth, conservative = (gaussian_upsampled(constant, k, k) for k in (smoother, kernel))
    assert_close(smooth, torch.full_like(smooth, 5.0), rtol=1e-12, atol=0)
    assert_close(conservative.sum(), constant.sum(), rtol=1e-12, atol=0)
    assert smooth.sum() > 10 * constant.sum()
    assert conservative.amax() > 1.1 * conservative.amin()


def test_shares_sum_to_one_for_cells_and_not_for_pixels():
    kernel = gaussian_kernel(16, torch.arange(4) * 4.0 + 2, torch.tensor([3.0, 1e-3]))
    assert_close(kernel.sum(dim=1), torch.ones(2, 4))
    assert (kernel.sum(dim=2) - 1).abs().max() > 0.1


@pytest.mark.parametrize("align", ["grid", "rf"])
def test_the_width_and_the_centres_are_those_of_the_layers(toy, toy_images, align, every_class):
    maps = ExtendedCAM(align=align)(toy, toy_images, every_class)
    _, (height, _) = features_and_fields(toy.features, toy_images)
    assert height.variance == pytest.approx((8 + 8 + 3 + 4 * 8) / 12)
    assert (height.centre, height.jump) == (1.0, 2)
    named = ExtendedCAM(sigma=height.sigma, align=align)(toy, toy_images, every_class)
    # In this network, the centre of a cell is also the centre of what it sees.
    assert_close(maps, named, rtol=1e-12, atol=0)
    other = ExtendedCAM(sigma=height.sigma)(toy, toy_images, every_class)
    assert_close(named, other, rtol=1e-9, atol=1e-12)


def test_half_a_stride_is_the_width_of_a_cell(toy, toy_images, every_class):
    assert_close(
        ExtendedCAM(sigma="stride")(toy, toy_images, every_class),
        ExtendedCAM(sigma=1.0)(toy, toy_images, every_class),
        rtol=1e-9,
        atol=1e-12,
    )


def test_the_empirical_width_of_uniform_weights_is_that_of_the_arithmetic():
    network = nn.Sequential(
        nn.Conv2d(3, 2, 3, bias=False), nn.AvgPool2d(2), nn.Conv2d(2, 1, 1, bias=False)
    ).double()
    for parameter in network.parameters():
        nn.init.ones_(parameter)
    images = torch.rand(2, 3, 20, 24, dtype=torch.float64)
    height, width = empirical_sigmas(network, images)
    # The gradient of a row is 1 2 2 1 in this network, and its square weighs the pixels.
    profile = torch.tensor([1.0, 2, 2, 1], dtype=torch.float64) ** 2
    offsets = torch.arange(4) - 1.5
    expected = ((profile * offsets**2).sum() / profile.sum()).sqrt().expand(2)
    assert_close(height, expected, rtol=1e-9, atol=0)
    assert_close(width, expected, rtol=1e-9, atol=0)


def test_an_image_that_its_centre_does_not_see_has_a_finite_map(toy, toy_images, every_class):
    with torch.no_grad():
        toy.features.network[2][0].weight.zero_()
        toy.features.network[2][0].bias.fill_(1)
    maps = ExtendedCAM(sigma="empirical")(toy, toy_images, every_class)
    assert_close(maps.sum(dim=(2, 3)) + toy.head.bias, toy(toy_images), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("sigma", ["erf", "empirical"])
def test_a_batch_has_the_maps_of_its_images(toy_mlp, toy_images, toy_classes, sigma):
    together = ExtendedCAM(sigma=sigma)(toy_mlp, toy_images, toy_classes)
    for index in range(3):
        alone = ExtendedCAM(sigma=sigma)(
            toy_mlp, toy_images[index : index + 1], toy_classes[index : index + 1]
        )
        assert_close(together[index : index + 1], alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "options", [{"sigma": "wide"}, {"sigma": 0.0}, {"align": "left"}, {"bias": "keep"}], ids=str
)
def test_unknown_options_are_refused(options):
    with pytest.raises(ValueError, match="expected"):
        ExtendedCAM(**options)
