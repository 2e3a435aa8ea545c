import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from wsss.data.images import read_header, read_rgb
from wsss.errors import WsssError

GREY = np.linspace(0, 255, 20 * 30).round().astype(np.uint8).reshape(20, 30)
RGB = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=2)


def png_header(width, height):
    """The start of a PNG of any size, without pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT"


def test_rgb_is_unchanged(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png"), RGB)
    assert read_header(tmp_path / "a.png").conversions == ()


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "webp", "tif"])
def test_greyscale_becomes_rgb(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(GREY).save(path, **({"quality": 100} if suffix in ("jpg", "webp") else {}))
    image = read_rgb(path)
    assert image.shape == (20, 30, 3)
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image, np.repeat(GREY[..., None], 3, axis=2), atol=3)


def test_greyscale_is_noted(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    assert read_header(tmp_path / "a.png").conversions == ("greyscale",)


def test_cmyk_becomes_rgb(tmp_path):
    flat = np.full((20, 30, 3), (200, 100, 50), dtype=np.uint8)
    Image.fromarray(flat).convert("CMYK").save(tmp_path / "a.jpg", quality=100)
    np.testing.assert_allclose(read_rgb(tmp_path / "a.jpg"), flat, atol=4)
    assert read_header(tmp_path / "a.jpg").conversions == ("CMYK",)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_is_scaled_and_not_clipped(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(GREY.astype(np.uint16) * 257).save(path)
    np.testing.assert_array_equal(read_rgb(path)[..., 0], GREY)
    assert read_header(path).conversions == ("16-bit",)


def test_dark_16_bit_stays_dark(tmp_path):
    Image.fromarray(GREY.astype(np.uint16)).save(tmp_path / "a.png")
    assert read_rgb(tmp_path / "a.png").max() == 1


@pytest.mark.parametrize(
    "values",
    [
        GREY.astype(np.float32) / 255,
        GREY.astype(np.float32),
        GREY.astype(np.float32) * 257,
        GREY.astype(np.float32) * 4000 - 70000,
        GREY.astype(np.int32),
        GREY.astype(np.int32) * 257,
        GREY.astype(np.int32) - 128,
    ],
    ids=["0…1", "0…255", "0…65535", "wild", "int 0…255", "int 0…65535", "int -128…127"],
)
def test_32_bit_tiff_is_scaled_by_its_range(tmp_path, values):
    Image.fromarray(values).save(tmp_path / "a.tif")
    np.testing.assert_allclose(read_rgb(tmp_path / "a.tif")[..., 0], GREY, atol=1)


@pytest.mark.parametrize(("value", "expected"), [(0.0, 0), (0.5, 128), (255.0, 255), (-3.0, 0)])
def test_flat_float_tiff(tmp_path, value, expected):
    Image.fromarray(np.full((4, 4), value, dtype=np.float32)).save(tmp_path / "a.tif")
    assert np.unique(read_rgb(tmp_path / "a.tif")) == expected


def test_nan_is_black(tmp_path):
    values = np.full((4, 4), 0.5, dtype=np.float32)
    values[0, 0], values[0, 1] = np.nan, np.inf
    Image.fromarray(values).save(tmp_path / "a.tif")
    image = read_rgb(tmp_path / "a.tif")
    assert image[0, 0, 0] == image[0, 1, 0] == 0
    assert image[3, 3, 0] == 128


@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_alpha_is_composited_over_white(tmp_path, suffix):
    alpha = np.zeros((20, 30, 1), dtype=np.uint8)
    alpha[:10], alpha[10:15] = 255, 128
    flat = np.full((20, 30, 3), (200, 100, 50), dtype=np.uint8)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.dstack([flat, alpha])).save(
        path, **({"lossless": True} if suffix == "webp" else {})
    )
    image = read_rgb(path)
    np.testing.assert_array_equal(image[:10], flat[:10])
    np.testing.assert_allclose(image[10:15], (flat[10:15] / 255 + 1) / 2 * 255, atol=1)
    assert (image[15:] == 255).all()
    assert read_header(path).conversions == ("alpha",)


def test_transparent_palette_is_composited_over_white(tmp_path):
    picture = Image.fromarray(np.array([[0, 1]], dtype=np.uint8)).convert("P")
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.save(tmp_path / "a.png", transparency=0)
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png"), [[[255, 255, 255], [0, 0, 255]]])


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, RGB), (2, RGB[:, ::-1]), (3, RGB[::-1, ::-1]), (4, RGB[::-1]),
        (5, RGB.transpose(1, 0, 2)), (6, np.rot90(RGB, -1)),
        (7, RGB[::-1, ::-1].transpose(1, 0, 2)), (8, np.rot90(RGB)),
    ],
)  # fmt: skip
def test_exif_orientation_is_undone(tmp_path, orientation, upright):
    path = tmp_path / "a.png"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(RGB).save(path, exif=exif)
    np.testing.assert_array_equal(read_rgb(path), upright)
    assert read_header(path).size == upright.shape[:2]
    assert read_header(path).conversions == (() if orientation == 1 else ("EXIF-rotated",))


def test_rotated_16_bit(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(GREY.astype(np.uint16) * 257).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png")[..., 0], np.rot90(GREY, -1))


def test_broken_exif_counts_as_upright(tmp_path):
    Image.fromarray(RGB).save(
        tmp_path / "a.jpg", exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x09"
    )
    assert read_rgb(tmp_path / "a.jpg").shape == (20, 30, 3)
    Image.fromarray(RGB).save(tmp_path / "b.jpg", exif=b"Exif\x00\x00nonsense")
    assert read_rgb(tmp_path / "b.jpg").shape == (20, 30, 3)


def test_missing_file(tmp_path):
    with pytest.raises(
        WsssError, match=r"gone\.jpg: no such file\. Expected an image.*leave the image out"
    ):
        read_rgb(tmp_path / "gone.jpg")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "bmp"])
def test_truncated_file(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (60, 60, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(WsssError, match=rf"a\.{suffix}: .*bytes.*Expected an intact.*intact copy"):
        read_rgb(path)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x80\x04cos\nsystem\n"])
def test_not_an_image(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(WsssError, match=rf"a\.jpg: not an image, {len(content)} bytes"):
        read_rgb(tmp_path / "a.jpg")


def test_folder_in_place_of_an_image(tmp_path):
    (tmp_path / "a.jpg").mkdir()
    with pytest.raises(WsssError, match=r"a\.jpg: a folder\..*a\.jpg/\*\.jpg"):
        read_rgb(tmp_path / "a.jpg")


@pytest.mark.parametrize(("width", "height"), [(1, 1), (6000, 4000)])
def test_extreme_sizes(tmp_path, width, height):
    Image.new("RGB", (width, height), (10, 20, 30)).save(tmp_path / "a.jpg")
    with warnings.catch_warnings(record=True) as caught:
        assert read_rgb(tmp_path / "a.jpg").shape == (height, width, 3)
    assert not caught
    assert read_header(tmp_path / "a.jpg").size == (height, width)


def test_large_but_safe_image_does_not_warn(tmp_path):
    (tmp_path / "a.png").write_bytes(png_header(12_000, 10_000))
    assert read_header(tmp_path / "a.png").size == (10_000, 12_000)


def test_decompression_bomb(tmp_path):
    (tmp_path / "a.png").write_bytes(png_header(100_000, 100_000))
    with pytest.raises(WsssError, match=r"a\.png: .*too large.*at most 179 megapixels.*reduce it"):
        read_rgb(tmp_path / "a.png")
