"""Text files as people save them: UTF-8, or UTF-16 and UTF-32 with a byte order mark."""

import codecs
from pathlib import Path
from unicodedata import normalize

from wsss.errors import WsssError, user_error

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # Before UTF-16, whose mark is how this one begins.
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, and the encodings that they stand for."""
_INVISIBLE = "\ufeff\u200b\u200e\u200f\u2060"
"""Marks without width: of byte order, of writing direction, of places to break a line."""


def read_text(path: Path) -> str:
    """Text of a file in UTF-8, or in another Unicode encoding with a byte order mark.

    Raises:
        WsssError: the file is unreadable or in another encoding.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise user_error(
            path,
            f"the file cannot be read ({error.strerror})",
            "a text file you may read",
            "See whether it exists and what its permissions are.",
        ) from None
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        kind = {"utf-16": "UTF-16", "utf-32": "UTF-32"}.get(encoding, "UTF-8")
        raise _other_encoding(
            path, f"line {line} is not {kind} text (byte 0x{content[error.start]:02X})"
        ) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise _other_encoding(path, f"line {line} has zero bytes, as UTF-16 without its mark does")
    return text


def cleaned(text: str) -> str:
    """A name in Unicode's composed form (NFC), without white space and invisible marks at its ends.

    Names that look the same are the same then, whichever program wrote them.
    """
    return normalize("NFC", text).strip().strip(_INVISIBLE).strip()


def _other_encoding(path: Path, came: str) -> WsssError:
    return user_error(
        path,
        came,
        "text in UTF-8",
        "Save it anew with the encoding UTF-8 (in Excel: `CSV UTF-8`).",
    )
