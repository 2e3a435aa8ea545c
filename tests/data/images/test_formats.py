"""Files of every ending: read, or named as what they are."""

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image, features

from wsss.data.images import IMAGE_SUFFIXES, read_header, read_rgb
from wsss.errors import WsssError

HEIGHT, WIDTH = 40, 64
_Y, _X = np.mgrid[:HEIGHT, :WIDTH]
SMOOTH = np.stack([_X * 4, _Y * 6, 255 - _X * 2 - _Y * 3], axis=2).astype(np.uint8)
"""Ramps of colours, which codecs with losses keep closely."""
FOUR = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [250, 250, 250]], dtype=np.uint8)
FLAGS = FOUR[(_X // 16 + _Y // 10) % 4]
"""Four colours, which a palette holds exactly."""


@pytest.mark.parametrize("suffix", ["gif", "png", "bmp", "tif", "tiff"])
def test_formats_without_losses(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(FLAGS).save(path)
    np.testing.assert_array_equal(read_rgb(path), FLAGS)
    assert read_header(path).conversions == ()


@pytest.mark.parametrize(
    ("suffix", "options", "mean", "worst"),
    [
        ("jpg", {"quality": 95}, 2, 12),
        ("jfif", {"quality": 95, "format": "JPEG"}, 2, 12),
        ("webp", {"lossless": True}, 0, 0),
        ("avif", {"quality": 90}, 3, 16),
        ("jp2", {"irreversible": False}, 0, 0),
        ("j2k", {"irreversible": False}, 0, 0),
    ],
)
def test_formats_of_photographs(tmp_path, suffix, options, mean, worst):
    if suffix == "avif" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(SMOOTH).save(path, **options)
    difference = np.abs(read_rgb(path).astype(int) - SMOOTH)
    assert difference.mean() <= mean
    assert difference.max() <= worst
    assert read_header(path).conversions == ()


def save_heic(path, image=SMOOTH, **options):
    pillow_heif.from_pillow(Image.fromarray(image)).save(path, quality=90, **options)


@pytest.mark.parametrize("name", ["a.heic", "a.heif", "a.hif", "a.jpg"])
def test_heic_is_read_whatever_it_is_named(tmp_path, fresh_pillow, name):
    save_heic(tmp_path / name)
    difference = np.abs(read_rgb(tmp_path / name).astype(int) - SMOOTH)
    assert difference.mean() <= 3
    assert difference.max() <= 24
    assert read_header(tmp_path / name).size == (HEIGHT, WIDTH)


def test_a_rotated_heic_is_seen_upright(tmp_path, fresh_pillow):
    exif = Image.Exif()
    exif[0x0112] = 6
    pillow_heif.register_heif_opener()
    Image.fromarray(SMOOTH).save(tmp_path / "a.heic", quality=90, exif=exif.tobytes())
    with Image.open(tmp_path / "a.heic") as picture:
        assert picture.info["original_orientation"] == 6
    upright = np.rot90(SMOOTH, -1)
    assert read_header(tmp_path / "a.heic").size == upright.shape[:2]
    assert np.abs(read_rgb(tmp_path / "a.heic").astype(int) - upright).mean() <= 3


def test_another_process_reads_heic_and_dicom(tmp_path, write_dicom):
    save_heic(tmp_path / "a.heic")
    scan = write_dicom(np.arange(400, dtype=np.uint8).reshape(20, 20) % 251)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        heic, dicom = pool.map(read_rgb, [tmp_path / "a.heic", scan])
    np.testing.assert_array_equal(heic, read_rgb(tmp_path / "a.heic"))
    np.testing.assert_array_equal(dicom, read_rgb(scan))


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [("HEIC", "pillow_heif", "heic"), ("DICOM", "pydicom", "dicom")],
)
def test_a_missing_package_is_named(
    tmp_path, monkeypatch, fresh_pillow, write_dicom, name, module, extra
):
    path = tmp_path / f"a.{extra}"
    save_heic(path) if extra == "heic" else write_dicom(np.zeros((9, 9), np.uint8), path.name)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "wsss.data.images.dicom", raising=False)
    expected = rf"{name}: `pip install 'wsss\[{extra}\]'`.*checkout `pip install '\.\[{extra}\]'`"
    for read in (read_rgb, read_header):
        with pytest.raises(WsssError, match=rf"a\.{extra}: {name}, which .* {expected}"):
            read(path)


@pytest.mark.parametrize("extra", ["heic", "dcm"])
def test_damaged_files_of_optional_formats(tmp_path, write_dicom, extra):
    path = tmp_path / f"a.{extra}"
    save_heic(path) if extra == "heic" else write_dicom(np.zeros((90, 90), np.uint8), path.name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(WsssError, match=rf"a\.{extra}: .*(unreadable|cannot be decoded).*intact"):
        read_rgb(path)


def test_the_first_frame_of_a_gif(tmp_path):
    later = Image.fromarray(np.zeros_like(FLAGS))
    Image.fromarray(FLAGS).save(tmp_path / "a.gif", save_all=True, append_images=[later, later])
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.gif"), FLAGS)
    assert read_header(tmp_path / "a.gif").conversions == ("GIF (first frame)",)


@pytest.mark.parametrize(
    ("suffix", "kind", "options"),
    [
        ("tif", "TIFF of several pages (first page)", {}),
        ("png", "animated PNG (first frame)", {}),
        ("webp", "animated WebP (first frame)", {"lossless": True}),
    ],
)
def test_the_first_of_several_pages(tmp_path, suffix, kind, options):
    later, path = Image.fromarray(255 - FLAGS), tmp_path / f"a.{suffix}"
    Image.fromarray(FLAGS).save(path, save_all=True, append_images=[later], **options)
    np.testing.assert_array_equal(read_rgb(path), FLAGS)
    assert read_header(path).conversions == (kind,)


def test_the_pictures_that_a_telephone_adds_to_a_jpeg_are_no_frames(tmp_path):
    first = Image.fromarray(SMOOTH)
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[first])
    assert read_header(tmp_path / "a.jpg").conversions == ()


@pytest.mark.parametrize("name", ["a.jpg", "a.heic", "a.dcm", "a.gif", "a"])
def test_a_png_is_a_png_whatever_it_is_named(tmp_path, name):
    Image.fromarray(SMOOTH).save(tmp_path / name, format="PNG")
    np.testing.assert_array_equal(read_rgb(tmp_path / name), SMOOTH)


def test_opencv_sees_the_same_greys_of_16_bit_jpeg_2000(tmp_path):
    deep = (_X * 1000 + _Y * 10).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "a.jp2"), deep, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])
    seen = cv2.imread(str(tmp_path / "a.jp2"), cv2.IMREAD_UNCHANGED)
    assert seen.dtype == np.uint16
    grey = read_rgb(tmp_path / "a.jp2")[..., 0]
    np.testing.assert_array_equal(grey, np.round(seen / 257).astype(np.uint8))
    assert read_header(tmp_path / "a.jp2").conversions == ("16-bit",)


def test_endings_are_lower_case_and_those_of_images():
    assert {".gif", ".jfif", ".avif", ".heic", ".heif", ".jp2", ".tif", ".dcm"} < IMAGE_SUFFIXES
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in IMAGE_SUFFIXES)
