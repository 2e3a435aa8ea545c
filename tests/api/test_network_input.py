"""The same image in every form gives the same map; other scales are noticed."""

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torch import nn

import wsss
from wsss.api.image_reading import as_bytes, as_picture
from wsss.api.network_input import as_input
from wsss.errors import WsssError
from wsss.models import SplitClassifier, TimmBackbone

RGB = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
GREY = RGB[..., 0]
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@pytest.mark.parametrize(
    "image",
    [
        RGB,
        RGB.astype(np.int64),
        RGB.transpose(2, 0, 1),
        RGB / 255,
        (RGB / 255).astype(np.float32).transpose(2, 0, 1),
        RGB[:, ::-1][:, ::-1],
        torch.from_numpy(RGB),
        torch.from_numpy(RGB).permute(2, 0, 1),
        torch.from_numpy(RGB).permute(2, 0, 1)[None] / 255,
        (torch.from_numpy(RGB).permute(2, 0, 1) / 255).double().requires_grad_(),
        Image.fromarray(RGB),
        np.dstack([RGB, np.full((12, 20), 255, np.uint8)]),
        np.dstack([RGB / 255, np.ones((12, 20))]),
        Image.fromarray(np.dstack([RGB, np.full((12, 20), 255, np.uint8)])),
    ],
)
def test_an_image_is_the_same_in_every_form(image):
    np.testing.assert_array_equal(as_bytes(as_picture(image)), RGB)


def test_files_are_named_by_text_or_path(tmp_path):
    path = tmp_path / "ä.png"
    Image.fromarray(RGB).save(path)
    for name in (path, str(path)):
        np.testing.assert_array_equal(as_picture(name), RGB)
    with pytest.raises(WsssError, match="no such file"):
        as_picture(tmp_path / "none.png")


@pytest.mark.parametrize(
    "image", [GREY, GREY[..., None], GREY[None], torch.from_numpy(GREY), Image.fromarray(GREY)]
)
def test_grey_is_the_same_in_all_colours(image):
    np.testing.assert_array_equal(as_picture(image), np.dstack([GREY] * 3))


def test_what_is_transparent_is_seen_on_white():
    clear = np.dstack([RGB, np.zeros((12, 20), np.uint8)])
    assert (as_picture(clear) == 255).all()
    assert (as_picture(clear / 255) == 1).all()


def test_a_tensor_has_its_channels_first_where_both_are_possible():
    image = np.random.default_rng(0).integers(0, 256, (3, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(as_picture(image), image)
    np.testing.assert_array_equal(as_picture(torch.from_numpy(image)), image.transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((2, 3, 8, 8)), r"float64 of shape \[2, 3, 8, 8\]"),
        (np.zeros((8, 8, 5)), r"shape \[8, 8, 5\]"),
        (np.zeros((0, 8, 3)), r"shape \[0, 8, 3\]"),
        (np.full((8, 8, 3), np.nan), "NaN"),
        (np.full((8, 8, 3), 300), "whole numbers from 300 to 300"),
        (np.full((8, 8, 3), True), "bool"),
        (np.full((8, 8, 3), "a"), "<U1"),
        (7, "a int"),
        (None, "a NoneType"),
    ],
)
def test_what_is_no_image_is_refused_in_words(image, words):
    with pytest.raises(WsssError, match=words):
        as_picture(image)


class Plain(nn.Sequential):
    def __init__(self, *first):
        torch.manual_seed(0)
        super().__init__(*first, nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Linear(8, 4))  # fmt: skip


class Normalise(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean, self.std = [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]

    def forward(self, images):
        return (images - 0.5) / 0.25


def seen(network, image, normalise=None):
    given = as_input(network, as_picture(image), normalise)
    return given.normalise(given.image)[0].permute(1, 2, 0).numpy(), given.picture


def test_colours_are_normalised_as_the_network_expects():
    colours = RGB / 255
    for image in (RGB, colours):
        np.testing.assert_allclose(
            seen(Plain(), image)[0], (colours - MEAN) / STD, rtol=1e-5, atol=1e-6
        )
        np.testing.assert_allclose(seen(Plain(), image, False)[0], colours, rtol=1e-6)
        np.testing.assert_allclose(seen(Plain(Normalise()), image)[0], colours, rtol=1e-6)
        own = ([0.1, 0.2, 0.3], [0.4, 0.5, 0.6])
        expected = (colours - np.array(own[0])) / np.array(own[1])
        np.testing.assert_allclose(seen(Plain(), image, own)[0], expected, rtol=1e-5, atol=1e-6)
    lite = timm.create_model("tf_efficientnet_lite0")
    mean, std = (np.array(lite.pretrained_cfg[key]) for key in ("mean", "std"))
    assert tuple(mean) != tuple(MEAN)
    np.testing.assert_allclose(seen(lite, RGB)[0], (colours - mean) / std, rtol=1e-5, atol=1e-6)


def test_what_is_normalised_already_is_left_as_it_is_and_still_shown():
    values = ((RGB / 255 - MEAN) / STD).astype(np.float32)
    for normalise in (None, False):
        found, shown = seen(Plain(), torch.from_numpy(values).permute(2, 0, 1), normalise)
        np.testing.assert_array_equal(found, values)
        np.testing.assert_array_equal(shown, RGB)
    plain, ready = wsss.cam(Plain(), RGB, 1), wsss.cam(Plain(), values, 1)
    torch.testing.assert_close(plain.raw, ready.raw, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "make",
    [lambda: Plain(Normalise()), lambda: SplitClassifier.linear(TimmBackbone("resnet18"), 2)],
    ids=["a module of its own", "a classifier of the package"],
)
def test_normalised_input_is_refused_where_the_network_normalises(make):
    values = ((RGB / 255 - MEAN) / STD).astype(np.float32)
    with pytest.raises(WsssError, match=r"look like normalised colours.*before it is normalised"):
        wsss.cam(make(), values, 1)
    with pytest.raises(WsssError, match="look like normalised"):
        wsss.cam(Plain(), values, 1, normalise=(MEAN, STD))


@pytest.mark.parametrize("image", [RGB.astype(np.float32), torch.from_numpy(RGB).double()])
def test_levels_as_floats_are_noticed(image):
    with pytest.raises(
        WsssError, match=r"look like levels of 0…255 as floats.*Divide levels by 255"
    ):
        wsss.cam(Plain(), image, 1)
