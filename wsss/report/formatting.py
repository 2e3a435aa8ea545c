"""Formatting of numbers and dates."""

import math
from datetime import UTC, datetime

NOTHING = "—"
"""In place of a missing value."""


def percent(fraction: float | None) -> str:
    """A fraction in [0, 1] as a percentage with one decimal; a dash for None and NaN."""
    return NOTHING if fraction is None or math.isnan(fraction) else f"{100 * fraction:.1f}"


def signed_percent(difference: float) -> str:
    """A difference of fractions in points of percent, with its sign; a dash for NaN."""
    if math.isnan(difference):
        return NOTHING
    text = f"{100 * difference:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def number(value: object) -> str:
    """Any value as short text: thousands separated, four significant digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NOTHING if value is None else str(value)
    if not math.isfinite(value):
        return NOTHING if math.isnan(value) else "∞" if value > 0 else "−∞"
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def duration(seconds: float) -> str:
    """Seconds in the two units that fit them: `1 h 05 min`, `3 min 12 s`, `4.2 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s"


def memory(megabytes: float) -> str:
    """Mebibytes, as gibibytes where there are many."""
    return f"{megabytes / 1024:.1f} GiB" if megabytes >= 1024 else f"{megabytes:.0f} MiB"


def date(timestamp: str) -> str:
    """An ISO time stamp as `24 November 2026, 01:48 UTC`; other text as it is."""
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return timestamp
    utc = moment.astimezone(UTC) if moment.tzinfo else moment
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"


def words(names: list[str]) -> str:
    """Names as a list in a sentence: `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
