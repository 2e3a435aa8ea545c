"""How functions of this folder are compiled: once a machine, without the GIL."""

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numpy.typing import NDArray

Array = NDArray[Any]
"""An array inside compiled code, where shapes are told by docstrings."""

Axes = tuple[int, ...]
"""A tuple of zeros whose length, known to the compiler, unrolls loops."""

Width = Axes
"""The same, for the channels that are side by side in lanes."""

Function = TypeVar("Function", bound=Callable[..., Any])

_FILES = (
    "chains",
    "filtering",
    "lanes",
    "jit",
    "lattice",
    "many_channels",
    "mean_field",
    "packing",
    "soft_max",
    "vertex_table",
)

SOURCES = blake2b(
    b"".join((Path(__file__).parent / f"{name}.py").read_bytes() for name in _FILES), digest_size=8
).hexdigest()
"""What compiled code depends on: functions contain those of other files that they call."""

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
# Not `reassoc`: sums keep their order, whatever the vector width of the machine.
_LOOSE = {"contract", "arcp", "nsz", "nnan", "ninf"}


def compiled(function: Function) -> Function:
    """Compile with exact float32 arithmetic: no fused multiply-add, nothing reordered."""
    return cast("Function", _kept_with_sources(numba.njit(**_OPTIONS)(function)))


def compiled_loosely(function: Function) -> Function:
    """Compile for finite numbers, with fused multiply-add and reciprocals: to a few ulps."""
    return cast("Function", _kept_with_sources(numba.njit(fastmath=_LOOSE, **_OPTIONS)(function)))


def _kept_with_sources(dispatcher: Any) -> Any:
    """Let the code on disk be that of all files here; numba looks at the function's own alone."""
    kept: Any = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if kept is not None and hasattr(kept, "_source_stamp"):
        kept._source_stamp = (kept._source_stamp, SOURCES)
    return dispatcher
