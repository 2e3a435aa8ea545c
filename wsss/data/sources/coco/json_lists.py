"""The lists of a large JSON object, an element at a time: a few megabytes of memory, not all."""

import json
from collections.abc import Iterator
from json.decoder import WHITESPACE  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

CHUNK_BYTES = 4 << 20
"""That are read at once."""
_NUMBER = "+-.0123456789Ee"
"""Signs of which a number's text may go on in the next chunk."""


class Element(NamedTuple):
    """An element of a list, and where it is."""

    key: str
    """Of the list."""
    value: Any
    start: int
    """Of its text in the file, in bytes."""
    stop: int


def list_elements(path: Path, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Element]:
    """The elements of all lists that are members of the object in a JSON file, in their order.

    Other members are passed over.

    Raises:
        ValueError: the file is no JSON object, or ends too early.
    """
    with path.open("rb") as stream:
        window = _Window(stream, chunk_bytes)
        window.take("{")
        if window.next_sign() == "}":
            return
        while True:
            key, _, _ = window.value()
            window.take(":")
            if window.next_sign() == "[":
                for value, start, stop in _elements(window):
                    yield Element(str(key), value, start, stop)
            else:
                window.value()
            if window.take(",}") == "}":
                return


def _elements(window: "_Window") -> Iterator[tuple[Any, int, int]]:
    """The elements of the list that comes next."""
    window.take("[")
    if window.next_sign() == "]":
        window.take("]")
        return
    while True:
        yield window.value()
        if window.take(",]") == "]":
            return


class _Window:
    """The part of a JSON file that is looked at.

    Bytes are taken for characters, so that positions are those in the file: signs of JSON are the
    same, and values that hold others are read again as UTF-8.
    """

    def __init__(self, stream: BinaryIO, chunk_bytes: int) -> None:
        self._stream, self._chunk_bytes = stream, chunk_bytes
        self._text = ""
        self._place = 0
        """In the text."""
        self._before = 0
        """Bytes of the file before the text."""
        self._decoder = json.JSONDecoder()

    def next_sign(self) -> str:
        """The next character that is no white space; it is not taken.

        Raises:
            ValueError: there is none.
        """
        while True:
            self._place = WHITESPACE.match(self._text, self._place).end()
            if self._place < len(self._text):
                return self._text[self._place]
            if not self._read_on():
                raise ValueError("the file ends too early")

    def take(self, signs: str) -> str:
        """Take the next character, which must be one of those.

        Raises:
            ValueError: it is another.
        """
        found = self.next_sign()
        if found not in signs:
            expected = " or ".join(f"`{sign}`" for sign in signs)
            where = self._before + self._place
            raise ValueError(f"`{found}` at byte {where:,}, where {expected} should be")
        self._place += 1
        return found

    def value(self) -> tuple[Any, int, int]:
        """Take a value; also where its text begins and ends in the file.

        Raises:
            ValueError: there is none, or it is cut off.
        """
        self.next_sign()
        while True:
            failure = ""
            try:
                found, stop = self._decoder.raw_decode(self._text, self._place)
                whole = stop < len(self._text) and self._text[stop] not in _NUMBER
            except json.JSONDecodeError as error:
                whole, failure = False, f"{error.msg} at byte {self._before + error.pos:,}"
            if whole or not self._read_on():
                break
        if failure:
            raise ValueError(failure)
        start, self._place = self._place, stop
        text = self._text[start:stop]
        if not text.isascii():
            found = json.loads(text.encode("latin-1"))
        return found, self._before + start, self._before + stop

    def _read_on(self) -> bool:
        """Let go of what was taken and read a chunk more; False at the end of the file."""
        chunk = self._stream.read(self._chunk_bytes)
        self._text = self._text[self._place :] + chunk.decode("latin-1")
        self._before += self._place
        self._place = 0
        return bool(chunk)
