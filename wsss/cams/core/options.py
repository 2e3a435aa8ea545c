"""Values that options of methods can have: a wrong one is refused before anything is computed."""

import math
from collections.abc import Callable, Sequence
from numbers import Integral, Real


def check_whole(name: str, value: object, least: int, most: int | None = None) -> None:
    """Refuse an option that is no whole number of `least` or more, up to `most` where there is one.

    Raises:
        ValueError: names the option, its value and what was expected.
    """
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_whole or value < least or (most is not None and value > most):  # type: ignore[operator]
        expected = f"{least} or more" if most is None else f"{least}…{most}"
        raise ValueError(f"{name}={value!r}: expected a whole number, {expected}")


def check_number(
    name: str, value: object, is_right: Callable[[float], bool], expected: str
) -> None:
    """Refuse an option that is no finite number, or out of range.

    Args:
        name: of the option.
        value: what came.
        is_right: whether a finite number is in range.
        expected: the range, as the end of "expected a number …".

    Raises:
        ValueError: names the option, its value and what was expected.
    """
    if not (isinstance(value, Real) and math.isfinite(value) and is_right(float(value))):
        raise ValueError(f"{name}={value!r}: expected a number {expected}")


def layer_names(layers: Sequence[str] | None) -> tuple[str, ...] | None:
    """Names of layers as they were given.

    Raises:
        ValueError: they are no list of names, or one is named twice.
    """
    if layers is None:
        return None
    if isinstance(layers, str):
        # Its letters would be taken for names.
        raise ValueError(f"layers={layers!r}: expected a list of names, such as [{layers}]")
    if not isinstance(layers, Sequence) or not all(isinstance(name, str) for name in layers):
        raise ValueError(f"layers={layers!r}: expected a list of names, such as [layer4]")
    if len(set(layers)) < len(layers):
        raise ValueError(f"layers={list(layers)}: expected every layer once")
    return tuple(layers)
