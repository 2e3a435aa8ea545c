"""DICOM files as Pillow opens them.

Nothing of a file but its pixels and how they are stored is ever shown: no message repeats a value
of it or a library's words about it, as these may name a patient.
"""

from typing import Any, BinaryIO, cast

import numpy as np
from jaxtyping import UInt8
from PIL import ImageFile
from pydicom import Dataset, dcmread
from pydicom.pixels.utils import pixel_array

from wsss.data.images.dicom_levels import as_shown
from wsss.data.images.quiet import unlogged
from wsss.errors import WsssError, user_error

_MAGIC_AT, _MAGIC = 128, b"DICM"
_DECODERS = (
    "Install a decoder beside pydicom (`pip install python-gdcm`), or decompress the files: "
    "`gdcmconv -w in.dcm out.dcm`."
)


class DicomImageFile(ImageFile.ImageFile):
    """A DICOM file as Pillow opens it: mode `L` or `RGB`, decoded when it is loaded."""

    format = "DICOM"
    format_description = "DICOM"
    n_frames: int
    is_animated: bool

    def _open(self) -> None:
        """Read everything but the pixels.

        Raises:
            SyntaxError: it is no DICOM file.
            WsssError: it holds no image.
        """
        assert self.fp is not None
        if self.fp.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] != _MAGIC:
            raise SyntaxError("not a DICOM file")
        self.fp.seek(0)
        with unlogged("pydicom"):  # it repeats odd values
            try:
                header = dcmread(self.fp, stop_before_pixels=True)
                size = int(header.get("Columns") or 0), int(header.get("Rows") or 0)
                self.n_frames = int(header.get("NumberOfFrames") or 1)
                samples = int(header.get("SamplesPerPixel") or 1)
                palette = header.get("PhotometricInterpretation") == "PALETTE COLOR"
                self._header: Dataset | None = header
            except Exception:
                raise self._error(
                    "a damaged DICOM file", "Replace it with an intact copy, or leave it out."
                ) from None
        if min(size) < 1:
            raise self._error(
                "a DICOM file without an image", "Leave it out: not every DICOM file is an image."
            )
        self.is_animated = self.n_frames > 1
        self._size = size
        self._mode = "RGB" if samples > 1 or palette else "L"
        self.tile = []

    def load(self) -> Any:
        """Decode the first frame.

        Raises:
            WsssError: its compression needs another package, or it is damaged.
        """
        if self._header is not None:
            pixels = self._decode(self._header)
            self._header = None
            self._size = pixels.shape[1], pixels.shape[0]
            self.load_prepare()
            self.frombytes(pixels.tobytes())
        return super().load()

    def _decode(self, header: Dataset) -> UInt8[np.ndarray, "h w"] | UInt8[np.ndarray, "h w 3"]:
        with unlogged("pydicom"), np.errstate(all="ignore"):
            try:
                assert self.fp is not None
                self.fp.seek(0)
                stored = pixel_array(cast("BinaryIO", self.fp), index=0)
            except (NotImplementedError, RuntimeError):
                raise self._error(
                    f"a DICOM file compressed by {header.file_meta.TransferSyntaxUID.name}, "
                    "which the installed packages do not decode",
                    _DECODERS,
                ) from None
            except Exception:
                raise self._error(
                    "a DICOM file whose pixels cannot be decoded",
                    "Replace it with an intact copy, or leave it out.",
                ) from None
            try:
                return as_shown(stored, header)
            except Exception:
                raise self._error(
                    "a DICOM file whose window or look-up table cannot be applied",
                    "Export it as PNG with a DICOM viewer, or leave it out.",
                ) from None

    def _error(self, came: str, remedy: str) -> WsssError:
        where = self.filename.decode() if isinstance(self.filename, bytes) else self.filename
        return user_error(where, came, "a DICOM image that can be decoded", remedy)
