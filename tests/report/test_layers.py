import zlib
from base64 import b64decode
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from wsss.artifacts import Seeds
from wsss.report.layers import GALLERY_CHARS, Budget, budget, encode_layers, pack
from wsss.report.panels import Evidence

RNG = np.random.default_rng(3)


def unpacked(text: str, *shape: int, smooth: bool = False) -> np.ndarray:
    values = np.frombuffer(zlib.decompress(b64decode(text)), dtype=np.uint8).reshape(shape)
    if smooth:
        values = values.cumsum(axis=-2, dtype=np.uint8).cumsum(axis=-1, dtype=np.uint8)
    return values


@pytest.mark.parametrize("smooth", [False, True])
def test_packed_bytes_come_back(smooth: bool):
    values = RNG.integers(0, 256, (2, 5, 7), dtype=np.uint8)
    np.testing.assert_array_equal(unpacked(pack(values, smooth), 2, 5, 7, smooth=smooth), values)


def evidence(height: int, width: int, **more) -> Evidence:
    """Noise, which deflates and compresses worst."""
    maps = RNG.random((3, height // 4, width // 4)).astype(np.float16)
    seeds = Seeds(np.array([1, 2, 7], dtype=np.uint16), maps, (height, width))
    masks = [RNG.choice([0, 1, 2, 7, 255], (height, width)).astype(np.uint8) for _ in range(2)]
    image = RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Evidence(image, seeds, masks[0], masks[1], **more)


def test_small_images_keep_their_size_maps_their_levels_and_masks_their_labels():
    shown = evidence(96, 128)
    layers = encode_layers(shown, Budget(10**9, 400, 128), {"more": shown.prediction, "no": None})
    assert layers["size"] == [128, 96]
    with Image.open(BytesIO(b64decode(layers["image"]))) as picture:
        assert (picture.format, picture.size) == ("WEBP", (128, 96))
    (maps,) = layers["maps"]
    assert (maps["kind"], maps["labels"], maps["size"]) == ("cam", [1, 2, 7], [32, 24])
    levels = unpacked(maps["data"], 3, 24, 32, smooth=True)
    np.testing.assert_array_equal(levels, np.rint(255 * shown.seeds.maps.astype(np.float32)))
    assert {*layers["masks"]} == {"pseudo_mask", "prediction", "more"}
    for name, mask in (("pseudo_mask", shown.pseudo_mask), ("more", shown.prediction)):
        np.testing.assert_array_equal(unpacked(layers["masks"][name], 96, 128), mask)
    assert layers["present"] == [0, 1, 2, 7, 255]


def test_large_maps_are_reduced_by_means():
    shown = evidence(1024, 512)
    (maps,) = encode_layers(shown, Budget(10**9, 64, 64))["maps"]
    assert maps["size"] == [32, 64]
    blocks = shown.seeds.maps.astype(np.float32).reshape(3, 64, 4, 32, 4).mean(axis=(2, 4))
    levels = unpacked(maps["data"], 3, 64, 32, smooth=True).astype(int)
    assert np.abs(levels - 255 * blocks).max() < 0.51


@pytest.mark.parametrize("images", [1, 100, 300, 1000])
def test_noise_fits_its_budget(images: int):
    room = budget(images)
    for size in ((375, 500), (2000, 300)):
        layers = encode_layers(evidence(*size), room)
        data = [layers["image"], *layers["masks"].values(), *(m["data"] for m in layers["maps"])]
        assert layers["image"]
        assert sum(map(len, data)) <= room.chars
    assert images * room.chars < GALLERY_CHARS


def test_photographs_of_usual_size_keep_a_fair_picture_among_a_thousand():
    smooth = cv2.GaussianBlur(RNG.random((375, 500, 3)), (0, 0), 6)
    image = (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)
    layers = encode_layers(Evidence(image), budget(1000))
    assert layers["size"] == [224, 168]
