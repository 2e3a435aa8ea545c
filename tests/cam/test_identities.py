"""What ties the methods together on a linear head: the same numbers by different ways."""

import pytest
import torch

from wsss.cam import CAM, FGCAM, ExtendedCAM, GradCAM, ReCAM, ReciproCAM
from wsss.models import PairHeads, ReactivatedHead

CELLS = 7 * 6
CLASSES = torch.arange(5).expand(3, -1)


@pytest.fixture
def cam(toy, toy_images):
    with torch.no_grad():
        return CAM()(toy, toy_images, CLASSES)


def assert_equal(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


@torch.no_grad()
def test_the_mean_of_a_cam_and_the_bias_are_the_logit(toy, toy_images, cam):
    assert_equal(cam.mean(dim=(2, 3)) + toy.head.bias, toy(toy_images))


@torch.no_grad()
def test_grad_cam_times_the_number_of_cells_is_cam(toy, toy_images, cam):
    assert_equal(GradCAM()(toy, toy_images, CLASSES) * CELLS, cam)


@torch.no_grad()
def test_recipro_cam_of_logits_is_cam_over_the_number_of_cells_and_the_bias(toy, toy_images, cam):
    maps = ReciproCAM(score="logit")(toy, toy_images, CLASSES)
    assert_equal((maps - toy.head.bias[:, None, None]) * CELLS, cam)


@torch.no_grad()
@pytest.mark.parametrize("sigma", ["erf", "stride", 0.3])
def test_the_pixels_of_extended_cam_and_the_bias_sum_to_the_logit(toy, toy_images, sigma):
    maps = ExtendedCAM(sigma=sigma)(toy, toy_images, CLASSES)
    assert maps.shape[2:] == toy_images.shape[2:]
    assert_equal(maps.sum(dim=(2, 3)) + toy.head.bias, toy(toy_images))


@torch.no_grad()
def test_recam_with_a_second_classifier_of_ones_is_cam(toy, toy_images, cam):
    toy.head = ReactivatedHead.beside(toy.head).double()
    toy.head.second.weight.fill_(1)
    assert_equal(ReCAM()(toy, toy_images, CLASSES), cam)


@torch.no_grad()
def test_fg_cam_at_the_last_layer_is_grad_cam(toy, toy_images):
    assert_equal(
        FGCAM(target_layer=None)(toy, toy_images, CLASSES), GradCAM()(toy, toy_images, CLASSES)
    )


@torch.no_grad()
def test_pairs_that_share_one_classifier_give_cam_less_the_mean_of_the_others(toy, toy_images, cam):
    pairs = [(c, r) for c in range(5) for r in range(5) if c != r]
    targets, opponents = (torch.tensor(column) for column in zip(*pairs, strict=True))
    heads = PairHeads(targets, opponents, 5, 16).double()
    heads.weight.copy_(torch.stack([toy.head.weight[targets], toy.head.weight[opponents]], dim=1))
    features = toy.features(toy_images)
    by_pair = torch.einsum("pk,bkhw->bphw", heads.difference, features)
    means = torch.stack([by_pair[:, targets == c].mean(dim=1) for c in range(5)], dim=1)
    others = (cam.sum(dim=1, keepdim=True) - cam) / 4
    assert_equal(means, cam - others)
