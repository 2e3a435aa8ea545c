"""Compilation of the functions in this folder, and of `packing.py`: cached, without the GIL."""

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numpy.typing import NDArray

Array = NDArray[Any]
"""An array inside compiled code; docstrings state shapes."""

Axes = tuple[int, ...]
"""A tuple of zeros, whose length is a compile-time constant that unrolls loops."""

Width = Axes
"""The same, for the channels in lanes."""

Function = TypeVar("Function", bound=Callable[..., Any])

_HERE = Path(__file__).parent
_FILES = (*sorted(_HERE.glob("*.py")), _HERE.parent / "packing.py")

SOURCES = blake2b(b"".join(path.read_bytes() for path in _FILES), digest_size=8).hexdigest()
"""Hash of all sources, as compiled functions inline functions of other files."""

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
# Not `reassoc`: sums keep their order, whatever the vector width of the machine.
_LOOSE = {"contract", "arcp", "nsz", "nnan", "ninf"}


def compiled(function: Function) -> Function:
    """Compile with exact float32 arithmetic: no fused multiply-add, nothing reordered."""
    return cast("Function", _kept_with_sources(numba.njit(**_OPTIONS)(function)))


def compiled_loosely(function: Function) -> Function:
    """Compile with fused multiply-add and reciprocals, for finite numbers: to a few ulps."""
    return cast("Function", _kept_with_sources(numba.njit(fastmath=_LOOSE, **_OPTIONS)(function)))


def is_kept(function: Callable[..., Any]) -> bool:
    """Whether a machine has a function compiled from these sources, which else takes seconds."""
    kept = _cache_file(function)
    return not hasattr(kept, "_load_index") or bool(kept._load_index())


def _kept_with_sources(dispatcher: Any) -> Any:
    """Make numba's cache depend on all these files, not the function's own alone."""
    kept = _cache_file(dispatcher)
    if kept is not None and hasattr(kept, "_source_stamp"):
        kept._source_stamp = (kept._source_stamp, SOURCES)
    return dispatcher


def _cache_file(dispatcher: Any) -> Any:
    """Numba's cache of a function; None where it has none."""
    return getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
