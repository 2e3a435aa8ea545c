"""How functions of this folder are compiled: once a machine, without the GIL."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from numpy.typing import NDArray

Array = NDArray[Any]
"""An array inside compiled code, where shapes are told by docstrings."""

Axes = tuple[int, ...]
"""A tuple of zeros whose length, known to the compiler, unrolls loops."""

Width = Axes
"""A tuple of zeros for the channels that are side by side in lanes."""

Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
# Not `reassoc`: sums keep their order, whatever the vector width of the machine.
_LOOSE = {"contract", "arcp", "nsz", "nnan", "ninf"}


def compiled(function: Function) -> Function:
    """Compile with exact float32 arithmetic: no fused multiply-add, nothing reordered."""
    return cast("Function", numba.njit(**_OPTIONS)(function))


def compiled_loosely(function: Function) -> Function:
    """Compile for finite numbers, with fused multiply-add and reciprocals: to a few ulps."""
    return cast("Function", numba.njit(fastmath=_LOOSE, **_OPTIONS)(function))
