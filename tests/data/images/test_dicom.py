"""DICOM files, compared with the standard's formulas in float64 and with pydicom's own files."""

import logging
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from wsss.data.images import read_header, read_rgb
from wsss.errors import WsssError

HOUNSFIELD = {"RescaleSlope": 1, "RescaleIntercept": -1024}
SOFT_TISSUE = {"WindowCenter": 40, "WindowWidth": 400}


def twelve_bits(height=24, width=32, dtype=np.uint16):
    return np.random.default_rng(0).integers(0, 4096, (height, width)).astype(dtype)


def windowed(values, center, width):
    """Levels by the linear function of PS3.3 C.11.2.1.2.1, in float64."""
    x = values.astype(np.float64)
    inside = ((x - (center - 0.5)) / (width - 1) + 0.5) * 255
    inside[x <= center - 0.5 - (width - 1) / 2] = 0
    inside[x > center - 0.5 + (width - 1) / 2] = 255
    return inside


def assert_grey(path, levels, atol=0.5):
    """Each channel has these levels, up to rounding."""
    image = read_rgb(path)
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image, np.repeat(levels[..., None], 3, axis=2), atol=atol + 1e-9)


def test_a_window_of_hounsfield_units(write_dicom):
    stored = twelve_bits()
    path = write_dicom(stored, BitsStored=12, **HOUNSFIELD, **SOFT_TISSUE)
    assert_grey(path, windowed(stored - 1024.0, 40, 400))
    assert read_header(path).size == (24, 32)
    assert read_header(path).conversions == ("DICOM", "greyscale")


def test_low_values_of_monochrome1_are_white(write_dicom):
    stored = twelve_bits()
    path = write_dicom(
        stored, BitsStored=12, PhotometricInterpretation="MONOCHROME1", **HOUNSFIELD, **SOFT_TISSUE
    )
    assert_grey(path, 255 - windowed(stored - 1024.0, 40, 400))


def test_the_first_of_several_windows(write_dicom):
    stored = twelve_bits(dtype=np.int16) - 2048
    path = write_dicom(stored, WindowCenter=[-600, 40], WindowWidth=[1500, 400])
    assert_grey(path, windowed(stored, -600, 1500))


def test_exact_and_sigmoid_windows(write_dicom):
    stored = twelve_bits()
    window = {"WindowCenter": 2000, "WindowWidth": 1000}
    linear = ((stored - 2000.0) / 1000 + 0.5).clip(0, 1) * 255
    assert_grey(write_dicom(stored, VOILUTFunction="LINEAR_EXACT", **window), linear)
    sigmoid = 255 / (1 + np.exp(-4 * (stored - 2000.0) / 1000))
    assert_grey(write_dicom(stored, VOILUTFunction="SIGMOID", **window), sigmoid)


def test_a_falling_scale(write_dicom):
    stored = twelve_bits()
    path = write_dicom(stored, RescaleSlope=-2, RescaleIntercept=100, **SOFT_TISSUE)
    assert_grey(path, windowed(100 - 2.0 * stored, 40, 400))


def test_a_look_up_table_goes_before_a_window(write_dicom):
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [4, 100, 12])
    table.add_new("LUTData", "US", [0, 1000, 3000, 4095])
    stored = np.array([[0, 99, 100, 101], [102, 103, 104, 4000]], dtype=np.uint16)
    path = write_dicom(stored, VOILUTSequence=Sequence([table]), **SOFT_TISSUE)
    looked_up = np.array([[0, 0, 0, 1000], [3000, 4095, 4095, 4095]])
    assert_grey(path, looked_up * 255 / 4095)


def test_a_modality_table_of_bytes(write_dicom):
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [4, 0, 16])
    table.add_new("ModalityLUTType", "LO", "US")
    table.add_new("LUTData", "OW", np.array([0, 500, 700, 2000], "<u2").tobytes())
    stored = np.array([[0, 1], [2, 3]], dtype=np.uint8)
    path = write_dicom(
        stored, ModalityLUTSequence=Sequence([table]), WindowCenter=1000, WindowWidth=2000
    )
    assert_grey(path, windowed(np.array([[0, 500], [700, 2000]]), 1000, 2000))


def test_without_a_window_values_span_their_range(write_dicom):
    stored = twelve_bits() // 4 + 100
    low, high = stored.min(), stored.max()
    path = write_dicom(stored, BitsStored=12)
    assert_grey(path, (stored - float(low)) / (high - low) * 255)
    assert_grey(write_dicom(np.full((4, 4), 7, np.uint16)), np.zeros((4, 4)))


def test_8_bits_without_a_window_stay_as_they_are(write_dicom):
    stored = (twelve_bits() // 32).astype(np.uint8)
    np.testing.assert_array_equal(read_rgb(write_dicom(stored))[..., 1], stored)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colours(write_dicom, dtype):
    stored = np.random.default_rng(1).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    deep = stored.astype(dtype) * (257 if dtype == np.uint16 else 1)
    path = write_dicom(deep, SamplesPerPixel=3)
    np.testing.assert_array_equal(read_rgb(path), stored)
    assert read_header(path).conversions == ("DICOM",)


def test_the_first_frame_with_the_window_of_its_own(write_dicom):
    frames = np.stack([twelve_bits(), twelve_bits()[::-1]])

    def groups(center):
        group, window, scale = Dataset(), Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = center, 300
        scale.RescaleSlope, scale.RescaleIntercept = 1, -1000
        group.FrameVOILUTSequence = Sequence([window])
        group.PixelValueTransformationSequence = Sequence([scale])
        return group

    path = write_dicom(
        frames,
        BitsStored=12,
        PerFrameFunctionalGroupsSequence=Sequence([groups(60), groups(900)]),
    )
    assert_grey(path, windowed(frames[0] - 1000.0, 60, 300))
    kinds = ("DICOM of several frames (first frame)", "greyscale")
    assert read_header(path).conversions == kinds


def example(name):
    path = get_testdata_file(name)
    assert path
    return Path(path)


@pytest.mark.parametrize(
    "name",
    ["MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm",
     "MR_small_jp2klossless.dcm"],
)  # fmt: skip
def test_every_encoding_of_an_image_gives_its_pixels(name):
    original = pydicom.dcmread(example("MR_small.dcm"))
    levels = windowed(original.pixel_array, original.WindowCenter, original.WindowWidth)
    assert_grey(example("MR_small.dcm"), levels)
    assert_grey(example(name), levels)


def test_a_scan_without_a_window():
    scan = pydicom.dcmread(example("CT_small.dcm"))
    stored = scan.pixel_array.astype(np.float64)
    levels = (stored - stored.min()) / (stored.max() - stored.min()) * 255
    assert_grey(example("CT_small.dcm"), levels)


def test_ycbcr_and_palette_become_rgb():
    rgb = read_rgb(example("SC_rgb_gdcm_KY.dcm"))
    np.testing.assert_array_equal(rgb[5, 5], [255, 0, 0])  # its first stripe
    np.testing.assert_allclose(rgb, read_rgb(example("SC_rgb_rle.dcm")), atol=1)
    coloured = pydicom.dcmread(example("examples_palette.dcm"))
    tables = [
        np.frombuffer(coloured[f"{name}PaletteColorLookupTableData"].value, "<u2") / 257
        for name in ("Red", "Green", "Blue")
    ]
    expected = np.stack([table[coloured.pixel_array] for table in tables], axis=2)
    np.testing.assert_allclose(read_rgb(example("examples_palette.dcm")), expected, atol=0.51)


def test_a_compression_that_nothing_decodes_is_named():
    with pytest.raises(WsssError, match=r"compressed by JPEG-LS Lossless.*pip install python-gdcm"):
        read_rgb(example("MR_small_jpeg_ls_lossless.dcm"))


@pytest.mark.parametrize("name", ["test-SR.dcm", "rtplan.dcm"])
def test_a_report_is_no_image(name):
    with pytest.raises(WsssError, match="a DICOM file without an image"):
        read_header(example(name))


def test_no_message_and_no_log_names_a_patient(write_dicom, caplog, recwarn):
    """Odd values make pydicom warn of them, and a wrong window makes it raise."""
    path = write_dicom(twelve_bits(), WindowCenter=1, WindowWidth=0.5)
    content = path.read_bytes()
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(WsssError, match="window or look-up table cannot") as caught,
    ):
        read_rgb(path)
    assert caught.value.__cause__ is None
    path.write_bytes(content.replace(b"4711", b"47\n1")[:-100])
    with pytest.raises(WsssError, match="cannot be decoded") as short:
        read_rgb(path)
    said = f"{caught.value} {short.value} {caplog.text}".replace(str(path), "")
    assert "Doe" not in said
    assert "47" not in said
    assert not caplog.records
    assert not recwarn.list
