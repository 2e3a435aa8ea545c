"""Validation of arguments, before anything is computed.

Every function raises an `InvalidOptionError`, which names the argument and what was expected.
"""

from collections.abc import Callable, Iterable, Sequence
from numbers import Integral, Real

from wsss.errors import InvalidOptionError

LEAST, MOST = 1e-30, 1e30
"""Range of positive float32 numbers, in which compiled code computes."""


def check_choice(known: Sequence[object], **options: object) -> None:
    """Refuse arguments that are none of the values in `known`."""
    for name, value in options.items():
        if value not in known:
            raise InvalidOptionError(name, value, "one of " + ", ".join(map(repr, known)))


def check_whole(least: int, most: int | None = None, **options: object) -> None:
    """Refuse arguments that are no whole numbers, of `least` or more and up to `most`."""
    for name, value in options.items():
        is_whole = isinstance(value, Integral) and not isinstance(value, bool)
        if not is_whole or value < least or (most is not None and value > most):  # type: ignore[operator]
            expected = f"{least} or more" if most is None else f"{least}…{most}"
            raise InvalidOptionError(name, value, f"a whole number, {expected}")


def check_number(is_right: Callable[[float], bool], expected: str, **options: object) -> None:
    """Refuse arguments that are no numbers of float32, or out of range.

    Args:
        is_right: whether a number is in range.
        expected: the range, as the end of "a number …".
        options: values by the names of the arguments.
    """
    for name, value in options.items():
        if not isinstance(value, Real) or not is_right(float(value)):
            raise InvalidOptionError(name, value, f"a number {expected}")
        if not abs(float(value)) <= MOST:
            raise InvalidOptionError(name, value, f"a number {expected}, and up to {MOST:g}")


def check_fraction(**options: object) -> None:
    """Refuse arguments that are not from 0 to 1."""
    check_number(lambda value: 0 <= value <= 1, "from 0 to 1", **options)


def check_inside_unit(**options: object) -> None:
    """Refuse arguments that are not between 0 and 1, both excluded."""
    check_number(lambda value: 0 < value < 1, "between 0 and 1", **options)


def check_at_least(least: float, **options: object) -> None:
    """Refuse arguments below `least`."""
    check_number(lambda value: value >= least, f"of {least} or more", **options)


def check_positive(**options: object) -> None:
    """Refuse arguments that are not above 0, or below `LEAST`."""
    check_number(lambda value: value >= LEAST, "above 0", **options)


def layer_names(layers: Sequence[str] | None) -> tuple[str, ...] | None:
    """The names of layers as a tuple, validated; None for a method's default."""
    if layers is None:
        return None
    if isinstance(layers, str):
        raise InvalidOptionError("layers", layers, f"a list of names, such as [{layers}]")
    if not isinstance(layers, Sequence) or not all(isinstance(name, str) for name in layers):
        raise InvalidOptionError("layers", layers, "a list of names, such as [layer4]")
    if len(set(layers)) < len(layers):
        raise InvalidOptionError("layers", list(layers), "every layer once")
    return tuple(layers)


def check_layers(layers: Iterable[str], known: Iterable[str]) -> None:
    """Refuse names of inner layers that a model does not have."""
    names = [*known]
    if unknown := [name for name in layers if name not in names]:
        raise InvalidOptionError(
            "layers",
            list(layers),
            f"some of {', '.join(names) or 'none: this network shows none'}",
            f"no inner layer is called {', '.join(map(repr, unknown))}",
            "Correct the names, or leave them out.",
        )


def layer_numbers(layers: Sequence[int] | None) -> tuple[int, ...] | None:
    """The indices of layers as a tuple, validated; None for all."""
    if layers is None:
        return None
    if not isinstance(layers, Sequence) or not all(type(layer) is int for layer in layers):
        raise InvalidOptionError("layers", layers, "a list of whole numbers, such as [8, 9]")
    return tuple(layers)
