"""TIFFs of any number of bands, which Pillow does not write; DICOM files; a new Pillow."""

import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

TiffWriter = Callable[..., bytes]
DicomWriter = Callable[..., Path]
ADDED = ("HEIF", "DICOM")
"""Formats that other packages add to Pillow."""

SHORT, LONG = 3, 4


def _tiff(
    values: np.ndarray, photometric: int, extra: Sequence[int] = (), *, planar: bool = False
) -> bytes:
    """An uncompressed TIFF 6.0 of one strip, or of one a band.

    Args:
        values: [h, w, bands] of unsigned integers or floats.
        photometric: 1 grey, 2 RGB.
        extra: meaning of each band after those: 0 unspecified, 2 opacity.
        planar: whether the bands are stored one after the other.
    """
    height, width, bands = values.shape
    values = values.astype(values.dtype.newbyteorder("<"))
    pixels = (values.transpose(2, 0, 1) if planar else values).tobytes()
    strips = bands if planar else 1
    bytes_each = len(pixels) // strips
    tags = {
        256: (SHORT, [width]),
        257: (SHORT, [height]),
        258: (SHORT, [8 * values.itemsize] * bands),
        259: (SHORT, [1]),
        262: (SHORT, [photometric]),
        273: (LONG, [8 + strip * bytes_each for strip in range(strips)]),
        277: (SHORT, [bands]),
        278: (SHORT, [height]),
        279: (LONG, [bytes_each] * strips),
        284: (SHORT, [2 if planar else 1]),
        338: (SHORT, list(extra)),
        339: (SHORT, [3 if values.dtype.kind == "f" else 1] * bands),
    }
    if not extra:
        del tags[338]
    pixels += b"\0" * (len(pixels) % 2)
    directory, beyond = struct.pack("<H", len(tags)), b""
    beyond_at = 8 + len(pixels) + 2 + 12 * len(tags) + 4
    for tag, (kind, numbers) in tags.items():
        content = struct.pack(f"<{len(numbers)}{'H' if kind == SHORT else 'I'}", *numbers)
        if len(content) > 4:
            content, beyond = struct.pack("<I", beyond_at + len(beyond)), beyond + content
        directory += struct.pack("<HHI", tag, kind, len(numbers)) + content.ljust(4, b"\0")
    start = b"II*\0" + struct.pack("<I", 8 + len(pixels))
    return start + pixels + directory + b"\0" * 4 + beyond


@pytest.fixture(name="tiff")
def tiff_fixture() -> TiffWriter:
    """Encode a TIFF: see `_tiff`."""
    return _tiff


@pytest.fixture
def write_dicom(tmp_path: Path) -> DicomWriter:
    """Write a DICOM file of whole numbers, and return its path."""

    def write(stored: np.ndarray, name: str = "a.dcm", **elements: object) -> Path:
        """Write it.

        Args:
            stored: [h, w], or [frames, h, w], or [h, w, 3] with SamplesPerPixel=3.
            name: of the file.
            elements: more elements by keyword; those below are the defaults.
        """
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = "1.2.3"
        data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        colours = elements.get("SamplesPerPixel") == 3
        defaults = {
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "RGB" if colours else "MONOCHROME2",
            "Rows": stored.shape[0 if colours else -2],
            "Columns": stored.shape[1 if colours else -1],
            "BitsAllocated": 8 * stored.itemsize,
            "BitsStored": 8 * stored.itemsize,
            "PixelRepresentation": int(stored.dtype.kind == "i"),
            "PatientName": "Doe^Jane",
            "PatientID": "4711",
        }
        if colours:
            defaults["PlanarConfiguration"] = 0
        if stored.ndim == 3 and not colours:
            defaults["NumberOfFrames"] = len(stored)
        for keyword, value in {**defaults, **elements}.items():
            setattr(data, keyword, value)
        data.HighBit = data.BitsStored - 1
        data.PixelData = stored.tobytes()
        data["PixelData"].VR = "OB" if stored.itemsize == 1 else "OW"
        data.save_as(tmp_path / name, enforce_file_format=True)
        return tmp_path / name

    return write


@pytest.fixture
def fresh_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow before any format was added to it."""
    for table in ("OPEN", "EXTENSION", "MIME", "SAVE", "SAVE_ALL"):
        monkeypatch.setattr(Image, table, dict(getattr(Image, table)))
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name not in ADDED])
    for name in ADDED:
        Image.OPEN.pop(name, None)
