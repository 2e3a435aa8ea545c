"""Formats that Pillow reads with the help of another package, which may not be installed."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wsss.data.images.file_content import first_bytes
from wsss.errors import user_error

_LOOKED_AT = 132


@dataclass(frozen=True, slots=True)
class OptionalFormat:
    """A format and the package that reads it."""

    name: str
    """What the files are called."""
    pillow_name: str
    """The format's name in Pillow, once it is registered."""
    first_bytes: bytes
    """Regular expression."""
    package: str
    extra: str
    """The extra of this package's that installs it."""
    add_to_pillow: Callable[[], None]
    """Imports the package, and makes Pillow open such files; may be called again."""

    def register(self, path: Path) -> None:
        """Make Pillow open files of this format in this process.

        Args:
            path: the file that asks for it, for the message.

        Raises:
            WsssError: the package is not installed.
        """
        try:
            self.add_to_pillow()
        except ImportError:
            raise user_error(
                path,
                f"{self.name}, which the package {self.package} reads, and that is not installed",
                "an image of a format that is read",
                f"{self.name}: `pip install 'wsss[{self.extra}]'`, or in a checkout "
                f"`pip install '.[{self.extra}]'`; or save the images as PNG or JPEG.",
            ) from None


def optional_format(path: Path) -> OptionalFormat | None:
    """The format that the first bytes of a file ask for, if it is one of these."""
    start = first_bytes(path, _LOOKED_AT)
    return next((one for one in _FORMATS if re.match(one.first_bytes, start)), None)


def _add_heic() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()


def _add_dicom() -> None:
    from PIL import Image

    from wsss.data.images.dicom import DicomImageFile

    Image.register_open(DicomImageFile.format, DicomImageFile)


_FORMATS = (
    OptionalFormat(
        "HEIC", "HEIF", rb"(?s)....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", "pillow-heif", "heic",
        _add_heic,
    ),
    OptionalFormat("DICOM", "DICOM", rb"(?s).{128}DICM", "pydicom", "dicom", _add_dicom),
)  # fmt: skip
