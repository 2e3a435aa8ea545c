"""A pickled dictionary of NumPy arrays, read without running anything of the file or of NumPy.

A pickle is a program that calls what it names. Here every name is refused but those of NumPy's
arrays, and these stand for objects of this file that keep what they are given. NumPy's own, which
a crafted pickle could make take numbers for addresses, are never called: arrays are made from the
bytes afterwards, of plain numbers only.
"""

import io
import pickle
from typing import Any

import numpy as np

_NUMBERS = "biuf"
_NUMBERS_AND_TEXT = "biufU"


class _Dtype:
    """What a pickle says of an array's numbers."""

    def __init__(self, code: str, *_: object) -> None:
        self.code, self.order = code.lstrip("<>=|"), "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1] if state[1] in ("<", ">") else "="

    def numpy(self, kinds: str) -> np.dtype[Any]:
        dtype = np.dtype(self.code)
        if dtype.kind not in kinds:
            raise ValueError(f"values of {dtype}")
        return dtype.newbyteorder("<" if self.order == "<" else ">" if self.order == ">" else "=")


class _Array:
    """What a pickle says of an array."""

    state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def content(self) -> Any:
        """The numbers; of an array of objects, the list of them."""
        _, shape, dtype, is_fortran, content = self.state
        if dtype.code.startswith("O"):
            return content
        numbers = np.frombuffer(content, dtype.numpy(_NUMBERS))
        return numbers.reshape(shape, order="F" if is_fortran else "C")


# Instances, not functions and classes, whose attributes a pickle could set.


class _MakeDtype:
    __slots__ = ()

    def __call__(self, code: str, *_: object) -> _Dtype:
        return _Dtype(code)


class _Reconstruct:
    __slots__ = ()

    def __call__(self, *_: object) -> _Array:
        return _Array()


class _Scalar:
    __slots__ = ()

    def __call__(self, dtype: _Dtype, content: bytes) -> object:
        return np.frombuffer(content, dtype.numpy(_NUMBERS_AND_TEXT))[0].item()


class _Latin1:
    """Bytes as protocol 2 writes them."""

    __slots__ = ()

    def __call__(self, text: str, encoding: str) -> bytes:
        if encoding != "latin1":
            raise ValueError(f"text in {encoding}")
        return text.encode("latin1")


class _NoBytes:
    """The bytes of an empty array, as protocol 2 writes them."""

    __slots__ = ()

    def __call__(self) -> bytes:
        return b""


_ADMITTED: dict[tuple[str, str], object] = {
    ("numpy", "ndarray"): None,  # Only named, as the type of the array.
    ("numpy", "dtype"): _MakeDtype(),
    ("_codecs", "encode"): _Latin1(),
    ("__builtin__", "bytes"): _NoBytes(),
    **{
        (f"numpy.{core}.multiarray", name): function
        for core in ("core", "_core")
        for name, function in (("_reconstruct", _Reconstruct()), ("scalar", _Scalar()))
    },
}


class _Unpickler(pickle.Unpickler):
    """Knows the names of arrays alone."""

    def find_class(self, module: str, name: str) -> object:
        """What a name stands for here."""
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module}.{name}") from None


def read_array_dictionary(content: bytes) -> dict[Any, np.ndarray]:
    """The arrays of a dictionary that `numpy.save` wrote, by its keys.

    Args:
        content: of the `.npy` file.

    Raises:
        ValueError: it is no dictionary of arrays of numbers, or names something else.
    """
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    read_header = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, _, dtype = read_header(stream)
    if dtype != np.dtype(object) or shape != ():
        raise ValueError(f"an array of {dtype} of shape {shape}, no dictionary")
    try:
        found = _Unpickler(stream).load()
        (dictionary,) = found.content()
        if not isinstance(dictionary, dict):
            raise ValueError("no dictionary")
        arrays = {key: one.content() for key, one in dictionary.items()}
    except ValueError:
        raise
    except Exception as error:  # Anything can be in a damaged pickle.
        raise ValueError(str(error) or type(error).__name__) from None
    if not all(isinstance(one, np.ndarray) for one in arrays.values()):
        raise ValueError("no arrays of numbers in the dictionary")
    return arrays
