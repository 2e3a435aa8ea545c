"""What ties the methods together on a linear head: the same numbers by different ways.

FD-CAM's closed form, Cluster-CAM's passes and VS-CAM's base are in these methods' own tests.
"""

import pytest
import torch
from torch.nn import functional as F

from wsss.cams.ad_cam import ADCAM
from wsss.cams.ad_cam.coupling import Coupling, Diffusion
from wsss.cams.cam import CAM
from wsss.cams.extended_cam import ExtendedCAM
from wsss.cams.fg_cam import FGCAM
from wsss.cams.gradcam import GradCAM
from wsss.cams.infer_cam import InferCAM
from wsss.cams.recam import ReCAM
from wsss.cams.recipro_cam import ReciproCAM
from wsss.models import PairHeads, ReactivatedHead

CELLS = 7 * 6


@pytest.fixture
def cam(toy, toy_images, every_class):
    with torch.no_grad():
        return CAM()(toy, toy_images, every_class)


def assert_equal(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


@torch.no_grad()
def test_the_mean_of_a_cam_and_the_bias_are_the_logit(toy, toy_images, cam):
    assert_equal(cam.mean(dim=(2, 3)) + toy.head.bias, toy(toy_images))


@torch.no_grad()
def test_grad_cam_times_the_number_of_cells_is_cam(toy, toy_images, cam, every_class):
    assert_equal(GradCAM()(toy, toy_images, every_class) * CELLS, cam)


@torch.no_grad()
def test_recipro_cam_of_logits_is_cam_over_the_number_of_cells_and_the_bias(
    toy, toy_images, cam, every_class
):
    maps = ReciproCAM(score="logit", baseline="none")(toy, toy_images, every_class)
    assert_equal((maps - toy.head.bias[:, None, None]) * CELLS, cam)
    assert_equal(ReciproCAM(score="logit")(toy, toy_images, every_class) * CELLS, cam)


@torch.no_grad()
@pytest.mark.parametrize("sigma", ["erf", "stride", 0.3])
def test_the_pixels_of_extended_cam_and_the_bias_sum_to_the_logit(
    toy, toy_images, sigma, every_class
):
    maps = ExtendedCAM(sigma=sigma)(toy, toy_images, every_class)
    assert maps.shape[2:] == toy_images.shape[2:]
    assert_equal(maps.sum(dim=(2, 3)) + toy.head.bias, toy(toy_images))


@torch.no_grad()
def test_recam_with_a_second_classifier_of_ones_is_cam(toy, toy_images, cam, every_class):
    toy.head = ReactivatedHead.beside(toy.head).to(toy_images.device).double()
    toy.head.second.weight.fill_(1)
    assert_equal(ReCAM()(toy, toy_images, every_class), cam)


@torch.no_grad()
def test_fg_cam_at_the_last_layer_is_grad_cam(toy, toy_images, every_class):
    assert_equal(
        FGCAM(target_layer=None)(toy, toy_images, every_class),
        GradCAM()(toy, toy_images, every_class),
    )


@torch.no_grad()
def test_pairs_that_share_one_classifier_give_cam_less_the_mean_of_the_others(
    toy, toy_images, cam, device
):
    pairs = [(c, r) for c in range(5) for r in range(5) if c != r]
    targets, opponents = (torch.tensor(column) for column in zip(*pairs, strict=True))
    heads = PairHeads(targets, opponents, 5, 16).to(device).double()
    heads.weight.copy_(torch.stack([toy.head.weight[targets], toy.head.weight[opponents]], dim=1))
    features = toy.features(toy_images)
    by_pair = torch.einsum("pk,bkhw->bphw", heads.difference, features)
    means = torch.stack([by_pair[:, targets == c].mean(dim=1) for c in range(5)], dim=1)
    others = (cam.sum(dim=1, keepdim=True) - cam) / 4
    assert_equal(means, cam - others)


class ToItself(Coupling):
    """Diffusion along attention that every patch pays to itself alone."""

    provenance = Diffusion.provenance

    def __call__(self, maps, attention):
        alone = torch.eye(attention.shape[1]).to(attention).expand_as(attention)
        return Diffusion()(maps, alone)


@torch.no_grad()
def test_ad_cam_of_attention_to_oneself_is_cam(toy, toy_vit, toy_images, cam, every_class):
    method = ADCAM(attention_network=toy_vit.features, coupling=ToItself(), normalise=False)
    assert_equal(method(toy, toy_images, every_class), cam.relu())


@torch.no_grad()
@pytest.mark.parametrize("classes", [[0, 3, 4], [4, 2, 1, 0, 3]])
def test_infer_cam_that_erases_nothing_is_the_sum_of_cam_over_scales_and_mirror_images(
    toy, toy_images, classes, device
):
    labels = torch.tensor([classes] * 3, device=device)
    total = toy_images.new_zeros(3, len(classes), 14, 12)
    for factor in (1, 0.5, 1.5, 2):
        view = F.interpolate(
            toy_images, (int(14 * factor), int(12 * factor)), mode="bilinear", align_corners=False
        )
        for mirrored in (False, True):
            maps = CAM()(toy, view.flip(-1) if mirrored else view, labels).relu()
            maps = F.interpolate(maps, (14, 12), mode="bilinear", align_corners=False)
            total += maps.flip(-1) if mirrored else maps
    expected = total / (total.amax(dim=(2, 3), keepdim=True) + 1e-5)
    assert_equal(InferCAM(erase_threshold=1.1)(toy, toy_images, labels), expected)
