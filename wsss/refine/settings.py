"""Numbers that a user sets, and what is said of wrong ones."""

import math
from collections.abc import Callable, Mapping

from wsss.errors import user_error


def check_numbers(
    settings: Mapping[str, float], is_right: Callable[[float], bool], expected: str
) -> None:
    """Refuse settings that are no finite numbers, or out of range.

    Args:
        settings: values by the names that a user knows them by.
        is_right: whether a number is in range.
        expected: what it should be, as the end of "a number …".

    Raises:
        WsssError: names the setting.
    """
    for name, value in settings.items():
        if not (math.isfinite(value) and is_right(value)):
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
    """Refuse settings that are not above 0.

    Raises:
        WsssError: names the setting.
    """
    check_numbers(settings, lambda value: value > 0, "above 0")
