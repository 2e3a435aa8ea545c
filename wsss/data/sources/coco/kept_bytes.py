"""Bytes of which parts are looked at, in memory or in a file."""

from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from wsss.files import intact


class Bytes(Protocol):
    """Bytes, of which a part is taken as `found[start:stop]`."""

    def __getitem__(self, part: slice) -> bytes:
        """A part."""


class KeptBytes:
    """An array of bytes in a file of safetensors, mapped into memory: processes share it.

    What is sent to a process is the name alone.
    """

    def __init__(self, path: Path, name: str) -> None:
        """Name the array; the file is opened when a part is asked for, once a process."""
        self._path, self._name = path, name

    def __getitem__(self, part: slice) -> bytes:
        """A part.

        Raises:
            DamagedFileError: it cannot be read.
        """
        if part.start == part.stop:  # Behind the last byte, safetensors refuses it.
            return b""
        with intact(self._path):
            found: bytes = self._opened[part].tobytes()
            return found

    @cached_property
    def _opened(self) -> Any:
        from safetensors import safe_open

        content: Any = safe_open(self._path, framework="numpy")
        return content.get_slice(self._name)

    def __reduce__(self) -> Any:
        return KeptBytes, (self._path, self._name)
