"""Lanes: a few float32 channels in one SIMD register.

Explicit lanes are several times faster: the compiler cannot rule out that arrays overlap, and would
not vectorise over channels.
"""

import operator
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, overload, register_model
from numba.np.arrayobj import make_array

from wsss.refine.dense_crf.numba_kernels.jit import Array, Width, compiled


class Lanes(types.Type):
    """The type of `width` numbers float32 in compiled code."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.llvm = ir.VectorType(ir.FloatType(), width)
        super().__init__(name=f"Lanes({width})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        super().__init__(manager, lanes, lanes.llvm)  # type: ignore[no-untyped-call]


def _address(context: Any, builder: Any, signature: Any, arguments: Any, lanes: Lanes) -> Any:
    """Address of the lanes at the index, the second argument, in the array, the first one."""
    array = make_array(signature.args[0])  # type: ignore[no-untyped-call]
    data = array(context, builder, arguments[0]).data
    index = context.cast(builder, arguments[1], signature.args[1], types.intp)
    return builder.bitcast(builder.gep(data, [index]), lanes.llvm.as_pointer())


@intrinsic
def _load(_: Any, array: Any, index: Any, width: Any) -> Any:
    lanes = Lanes(len(width))

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _address(context, builder, signature, arguments, lanes)
        return builder.load(place, align=4, typ=lanes.llvm)

    return lanes(array, index, width), generate


@intrinsic
def _store(_: Any, array: Any, index: Any, lanes: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _address(context, builder, signature, arguments, lanes)
        builder.store(arguments[2], place, align=4)
        return context.get_dummy_value()

    return types.void(array, index, lanes), generate


load = cast("Callable[[Array, int | np.int64, Width], Array]", _load)
"""The lanes at `array[index]`… of a float32 array [·], as many as `width` has items; unchecked."""

store = cast("Callable[[Array, int | np.int64, Array], None]", _store)
"""Write lanes to `array[index]`…; unchecked."""


@intrinsic
def _sum(_: Any, one: Any, other: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fadd(*arguments)

    return one(one, other), generate


@intrinsic
def _product(_: Any, factor: Any, lanes: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        nothing = ir.Constant(lanes.llvm, ir.Undefined)
        first = ir.Constant(ir.IntType(32), 0)
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), lanes.width), None)
        single = builder.insert_element(nothing, arguments[0], first)
        return builder.fmul(builder.shuffle_vector(single, nothing, everywhere), arguments[1])

    return lanes(factor, lanes), generate


@overload(operator.add, strict=False)
def _add(one, other):  # type: ignore[no-untyped-def]
    if isinstance(one, Lanes) and one == other:
        return lambda one, other: _sum(one, other)  # type: ignore[call-arg]
    return None


@overload(operator.mul, strict=False)
def _multiply(factor, lanes):  # type: ignore[no-untyped-def]
    if factor == types.float32 and isinstance(lanes, Lanes):
        return lambda factor, lanes: _product(factor, lanes)  # type: ignore[call-arg]
    return None


@compiled
def to_planes(planes: Array, start: int, rows: Array, count: int, width: Width) -> None:
    """Copy channels-last rows [count · w] into planes [w, n], from pixel `start` on."""
    for k in range(count):
        for c in range(len(width)):
            planes[c, start + k] = rows[k * len(width) + c]


@compiled
def to_rows(rows: Array, planes: Array, start: int, count: int, width: Width) -> None:
    """Copy planes [w, n] of `count` pixels into channels-last rows [count · w]."""
    for k in range(count):
        for c in range(len(width)):
            rows[k * len(width) + c] = planes[c, start + k]
