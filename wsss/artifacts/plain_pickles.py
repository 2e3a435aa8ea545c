"""Dictionaries of arrays in the `.npy` files of published code, read without running anything.

`np.save(path, {…})` pickles the dictionary, and a pickle is a program: it calls whatever it names.
Here a name leads to nothing but the classes of this file. None of them is numpy's or torch's own:
numpy's `dtype.__setstate__` takes flags from the file that can pass bytes off as pointers, and
`torch.storage._load_from_bytes` unpickles what is inside. They keep numbers and bytes; arrays are
made of them by `np.frombuffer`, storages of tensors by torch's reader of plain weights, which
unpickles nothing. Each has a `__setstate__`, so that no file sets an attribute of a class here.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from wsss.errors import WsssError, user_error

_OBJECTS = "O8"
_PLAIN_TYPE = re.compile(r"b1|[iu][1248]|f[248]|[SU]\d{1,6}")
"""numpy's codes of truth values, numbers and text."""


def read_array_dictionary(path: Path) -> dict[str | int, np.ndarray]:
    """The dictionary of arrays in an `.npy` file, by its keys; no code in it is run.

    Values are arrays of truth values, numbers or text: numpy's, dense tensors of torch (of any
    device), single numbers, and lists of numbers.

    Args:
        path: as `np.save(path, {…})` writes it, of Python 2 or 3, any numpy and any torch.

    Raises:
        WsssError: the file holds something else, or is damaged; says what.
        OSError: it cannot be opened.
    """
    with path.open("rb") as stream:
        try:
            return _dictionary(stream)
        except Exception as error:  # A damaged pickle can raise anything.
            said = str(error) if isinstance(error, _RefusedError) else _damage(error)
            raise _refused(path, said) from error


class _RefusedError(Exception):
    """What the file holds instead of a dictionary of arrays."""


def _refused(path: Path, came: str) -> WsssError:
    return user_error(
        path,
        came,
        "a dictionary of arrays, written by `np.save(path, {…})`",
        "Write it so; nothing else in a pickle is read, since it could run code.",
    )


def _damage(error: Exception) -> str:
    reason = ": ".join((type(error).__name__, *str(error).splitlines()[:1]))
    return f"the file is damaged ({reason})"


def _dictionary(stream: BinaryIO) -> dict[str | int, np.ndarray]:
    version = np.lib.format.read_magic(stream)
    read_header = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read_header(stream)
    if not dtype.hasobject or shape != ():
        raise _RefusedError(f"an array of {dtype}, shape {list(shape)}")
    root = _Unpickler(stream, encoding="latin1").load()
    content = root.data if isinstance(root, _Array) else None
    if not (isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict)):
        raise _RefusedError("something other than a dictionary")
    (found,) = content
    return {_key(key): _value(key, value) for key, value in found.items()}


def _key(key: Any) -> str | int:
    """A key in Python's own type."""
    plain = key.item() if isinstance(key, np.generic) else key
    if not isinstance(plain, str | int):
        raise _RefusedError(f"a key that is neither text nor a whole number ({plain!r:.40})")
    return plain


def _value(key: Any, value: Any) -> np.ndarray:
    """An array of a value that holds numbers or text, and nothing else."""
    found = value.data if isinstance(value, _Array) else value
    plain = isinstance(found, np.ndarray | np.generic | int | float | str)
    numbers = isinstance(value, list) and all(isinstance(x, int | float | np.number) for x in value)
    if not plain and not numbers:
        raise _RefusedError(f"no array at {key!r:.40}")
    return np.asarray(found)


class _Unpickler(pickle.Unpickler):
    """Knows the names of `_KNOWN`, and no other."""

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in of a name."""
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise _RefusedError(f"a pickle that calls `{module}.{name}`") from None


class _StandIn:
    """What a pickle gets instead of a function or a class."""

    def __setstate__(self, state: Any) -> None:
        raise _RefusedError("a pickle that sets attributes")


class _Dtype(_StandIn):
    """A plain type of an array's elements."""

    def __init__(self, code: str, *_: Any) -> None:
        if code != _OBJECTS and not (isinstance(code, str) and _PLAIN_TYPE.fullmatch(code)):
            raise _RefusedError(f"an array of the type {code!r:.40}")
        self.code, self.order = code, "="

    def __setstate__(self, state: Sequence[Any]) -> None:
        """Take the order of bytes, and no fields or flags."""
        if state[1] not in ("<", ">", "|", "="):
            raise _RefusedError(f"an order of bytes {state[1]!r:.40}")
        self.order = state[1]

    def array(self, data: bytes | str) -> np.ndarray:
        """A vector of bytes, which Python 2 wrote as text; a copy."""
        if self.code == _OBJECTS:
            raise _RefusedError("an array of objects")
        plain = data.encode("latin1") if isinstance(data, str) else bytes(data)
        if not plain:
            return np.zeros(0, dtype=self.order + self.code)
        return np.frombuffer(plain, dtype=self.order + self.code).copy()


class _Array(_StandIn):
    """An array that waits for its elements."""

    data: np.ndarray | list[Any] | None = None
    """The elements; objects as a list."""

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Sequence[Any]) -> None:
        """Take shape, type, order and elements."""
        _, shape, dtype, is_fortran, data = state
        if not isinstance(dtype, _Dtype):
            raise _RefusedError("an array without a type")
        if dtype.code == _OBJECTS and isinstance(data, list):
            self.data = data
        else:
            self.data = dtype.array(data).reshape(shape, order="F" if is_fortran else "C")


class _Scalar(_StandIn):
    """A single element, which becomes numpy's scalar."""

    def __new__(cls, dtype: _Dtype, data: bytes | str) -> Any:
        """Make the scalar."""
        (value,) = dtype.array(data)
        return value


class _Bytes(_StandIn):
    """Bytes as Python 3 writes them for Python 2."""

    def __new__(cls, text: str = "", _encoding: str = "latin1") -> Any:
        """Make the bytes; empty ones have no text."""
        return text.encode("latin1")


class _Storage(_StandIn):
    """The elements of a tensor, read as plain weights, into this machine's memory."""

    def __init__(self, data: bytes) -> None:
        import torch

        try:
            self.content = torch.load(BytesIO(data), map_location="cpu", weights_only=True)
        except Exception as error:
            raise _RefusedError("a tensor whose elements are no plain numbers") from error


class _Tensor(_StandIn):
    """A dense tensor, which becomes an array."""

    def __new__(
        cls, storage: _Storage, offset: int, size: Sequence[int], stride: Sequence[int], *_: Any
    ) -> Any:
        """Make the array; `as_strided` refuses to look beyond the storage."""
        import torch

        elements = storage.content
        whole = torch.empty(0, dtype=elements.dtype).set_(elements._untyped_storage)
        return whole.as_strided(size, stride, offset).numpy().copy()


class _Hooks(_StandIn):
    """The backward hooks of a tensor, of which it has none."""


_KNOWN: dict[tuple[str, str], type[_StandIn]] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Bytes,
    ("__builtin__", "bytes"): _Bytes,
    ("collections", "OrderedDict"): _Hooks,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch.storage", "_load_from_bytes"): _Storage,
}
for _core in ("numpy.core", "numpy._core"):  # Before and since numpy 2.
    _KNOWN[f"{_core}.multiarray", "_reconstruct"] = _Array
    _KNOWN[f"{_core}.multiarray", "scalar"] = _Scalar
