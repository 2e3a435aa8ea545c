"""Seeds of several scales: each counts the same, and every seed reaches one."""

import pytest
import torch
from torch import nn

from wsss.cams.cam import CAM
from wsss.cams.core.multiscale import multiscale_maps, scale_agreement
from wsss.cams.extended_cam import ExtendedCAM
from wsss.cams.fd_cam import FDCAM
from wsss.cams.fg_cam import FGCAM
from wsss.cams.gradcam import GradCAM, LayerCAM
from wsss.cams.recipro_cam import ReciproCAM

METHODS = {
    "cam": CAM,
    "gradcam": GradCAM,
    "gradcam of two layers": lambda: GradCAM(layers=("0", "1")),
    "layercam": LayerCAM,
    "recipro_cam": ReciproCAM,
    "recipro_cam without a baseline": lambda: ReciproCAM(baseline="none"),
    "extended_cam": ExtendedCAM,
    "fd_cam": FDCAM,
    "fg_cam": FGCAM,
    "fg_cam of the image": lambda: FGCAM(target_layer="input"),
    "fg_cam of scores": lambda: FGCAM(base="score", target_layer="0"),
}


@pytest.fixture
def points(classifier):
    """Every pixel by itself: an image twice as large has the same features twice in a row."""
    model = classifier(
        lambda: nn.Sequential(nn.Conv2d(3, 12, 1), nn.ReLU()),
        lambda: nn.Sequential(nn.Conv2d(12, 16, 1), nn.ReLU()),
        num_features=16,
    )
    nn.init.normal_(next(model.head.parameters()))
    return model


@pytest.fixture
def classes(device):
    return torch.tensor([[0, 2]], device=device)


def doubled(images):
    return images.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


@pytest.mark.parametrize("name", METHODS)
def test_maps_of_two_scales_weigh_the_same(points, classes, name):
    method = METHODS[name]()
    images = torch.rand(1, 3, 8, 10, dtype=torch.float64).to(classes.device)
    masses = []
    for one in (images, doubled(images)):
        maps = method(points, one, classes).mean(dim=(2, 3))
        masses.append(maps * one[0, 0].numel() if method.shares_score else maps)
    # One position of a non-linear score adds a little more or less than its share.
    tolerance = 1e-2 if name.startswith("recipro_cam") else 1e-9
    torch.testing.assert_close(masses[0], masses[1], rtol=tolerance, atol=0)


def test_grad_cams_seeds_are_those_of_cam_at_any_scales(toy, device):
    toy = toy.float()
    pyramid = [
        torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8).to(device)
        for size in [(14, 12), (28, 24)]
    ]
    classes = torch.tensor([[0, 3], [1, 1]], device=device)
    seeds = [
        multiscale_maps(toy, method, pyramid, classes, [(14, 12)] * 2)
        for method in (CAM(), GradCAM())
    ]
    for one, other in zip(*seeds, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_the_largest_value_of_a_seed_is_one_however_small_the_maps_are(points, classes, name):
    images = torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8).to(classes.device)
    (seeds,) = multiscale_maps(points.float(), METHODS[name](), [images], classes, [(16, 24)])
    found = seeds.amax(dim=(1, 2))
    assert ((found == 0) | (found == 1)).all()
    assert (found == 1).any()


def test_scales_agree_as_far_as_their_maps_overlap_whatever_their_height():
    one = torch.tensor([[[0.0, 1, 2, 0]], [[0.0, 1, 2, 0]], [[0.0, 0, 1, 1]], [[0.0, 0, 0, 0]]])
    other = torch.tensor([[[0.0, 3, 6, 0]], [[1.0, 0, 0, 1]], [[0.0, 1, 2, 0]], [[0.0, 0, 0, 0]]])
    # Of heights divided by their maximum: the same; apart; (1) / (0.5 + 1 + 1); no map at all.
    torch.testing.assert_close(scale_agreement([one, other]), torch.tensor([1, 0, 0.4, 0]))
    torch.testing.assert_close(scale_agreement([one, one, other]), scale_agreement([other, one]))
