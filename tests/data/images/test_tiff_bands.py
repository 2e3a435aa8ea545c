"""TIFFs of more bands than red, green and blue, and of deeper colours."""

import warnings

import cv2
import numpy as np
import pytest
from PIL import Image

from wsss.data.images import read_header, read_rgb
from wsss.errors import WsssError

GREY, COLOURS = 1, 2


def numbers(bands, dtype=np.uint8):
    rng = np.random.default_rng(bands)
    high = 1 if dtype == np.float32 else np.iinfo(dtype).max
    return (rng.random((6, 7, bands)) * high).astype(dtype)


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("photometric", [GREY, COLOURS])
@pytest.mark.parametrize(
    ("bands", "dtype", "named"),
    [
        (2, np.uint16, "2 bands of 16-bit whole numbers"),
        (5, np.uint16, "5 bands of 16-bit whole numbers"),
        (8, np.uint8, "8 bands of 8-bit whole numbers"),
        (13, np.uint16, "13 bands of 16-bit whole numbers"),
        (3, np.float32, "3 bands of 32-bit floating point"),
    ],
)
def test_other_bands_are_refused_in_words(
    tmp_path, tiff, caplog, bands, dtype, named, photometric, planar
):
    extra = [0] * (bands - 1 if photometric == GREY else max(bands - 3, 0))
    (tmp_path / "a.tif").write_bytes(tiff(numbers(bands, dtype), photometric, extra, planar=planar))
    expected = rf"a\.tif: a TIFF of {named}\. Expected one band of grey, or RGB.*gdal_translate -b"
    with pytest.raises(WsssError, match=expected):
        read_rgb(tmp_path / "a.tif")
    assert not caplog.records


def test_four_bands_without_colours_are_refused(tmp_path, tiff):
    (tmp_path / "a.tif").write_bytes(tiff(numbers(4), GREY, [0, 0, 0]))
    with pytest.raises(WsssError, match=r"a TIFF of 4 bands of 8-bit whole numbers\. Expected"):
        read_header(tmp_path / "a.tif")


@pytest.mark.parametrize("bands", [4, 5, 6])
def test_colours_that_a_file_names_are_read_and_what_is_left_is_told(tmp_path, tiff, bands):
    values = numbers(bands)
    (tmp_path / "a.tif").write_bytes(tiff(values, COLOURS, [0] * (bands - 3)))
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.tif"), values[..., :3])
    assert read_header(tmp_path / "a.tif").conversions == (f"{bands} bands (first 3)",)


def test_opacity_is_no_band_of_its_own(tmp_path, tiff):
    values = numbers(4)
    values[..., 3] = 255
    (tmp_path / "a.tif").write_bytes(tiff(values, COLOURS, [2]))
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.tif"), values[..., :3])
    assert read_header(tmp_path / "a.tif").conversions == ("alpha",)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_the_high_byte_of_16_bit_colours_is_kept(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    cv2.imwrite(str(path), numbers(3, np.uint16))
    deep = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1]
    assert deep.dtype == np.uint16
    image = read_rgb(path)
    np.testing.assert_array_equal(image, deep // 256)
    assert np.abs(image - deep / 257).max() <= 1
    assert read_header(path).conversions == ("16-bit",)


def test_uncompressed_planes_of_16_bit_are_refused_as_pillow_mixes_them_up(tmp_path, tiff):
    values = numbers(3, np.uint16)
    (tmp_path / "a.tif").write_bytes(tiff(values, COLOURS, planar=True))
    with Image.open(tmp_path / "a.tif") as misread:
        assert np.abs(np.asarray(misread) - values / 257).max() > 100
    with pytest.raises(WsssError, match=r"3 planes of 16 bits, which Pillow misreads.*=PIXEL"):
        read_rgb(tmp_path / "a.tif")


def test_planes_of_8_bit_are_read(tmp_path, tiff):
    values = numbers(3)
    (tmp_path / "a.tif").write_bytes(tiff(values, COLOURS, planar=True))
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.tif"), values)


def test_a_damaged_tiff_is_no_matter_of_bands(tmp_path, tiff):
    (tmp_path / "a.tif").write_bytes(tiff(numbers(3), COLOURS)[:40])
    with pytest.raises(WsssError, match=r"a\.tif: (not an|unreadable) image, 40 bytes"):
        read_rgb(tmp_path / "a.tif")


def test_nothing_is_warned_of_a_tiff_that_is_none(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0" + b"0" * 50)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(WsssError):
            read_rgb(tmp_path / "a.tif")
    assert not caught
