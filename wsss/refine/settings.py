"""Numbers that a user sets, and what is said of wrong ones."""

from collections.abc import Callable, Mapping

from wsss.errors import user_error

LEAST, MOST = 1e-30, 1e30
"""Compiled code computes with float32, which knows hardly less that is above 0, and hardly more."""


def check_numbers(
    settings: Mapping[str, float], is_right: Callable[[float], bool], expected: str
) -> None:
    """Refuse settings that are no numbers of float32, or out of range.

    Args:
        settings: values by the names that a user knows them by.
        is_right: whether a number is in range.
        expected: what it should be, as the end of "a number …".

    Raises:
        WsssError: names the setting.
    """
    for name, value in settings.items():
        if not (abs(value) <= MOST and is_right(value)):
            raise user_error(name, f"{value}", f"a number {expected}", "Correct the value.")


def check_inside_unit(**settings: float) -> None:
    """Refuse settings that are not between 0 and 1, both excluded.

    Raises:
        WsssError: names the setting.
    """
    check_numbers(settings, lambda value: 0 < value < 1, "between 0 and 1")


def check_at_least(least: float, **settings: float) -> None:
    """Refuse settings below `least`.

    Raises:
        WsssError: names the setting.
    """
    check_numbers(settings, lambda value: value >= least, f"of {least} or more")


def check_positive(**settings: float) -> None:
    """Refuse settings that are not above 0, or so little that it might be rounding.

    Raises:
        WsssError: names the setting.
    """
    check_numbers(settings, lambda value: value >= LEAST, "above 0")
