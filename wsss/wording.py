"""Counts and names in sentences."""

import os
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

GROUP_FROM = 5
"""Lists of this many names are shortened."""

INTERRUPTED = "Finished stages, images and epochs are kept; the same command goes on from there."
"""What a run that ends early leaves."""

NAMED = 3
"""Names in a shortened list."""


def name_some(names: Sequence[str]) -> str:
    """The names, quoted; of `GROUP_FROM` or more the first `NAMED` and how many more there are."""
    shown = names if len(names) < GROUP_FROM else names[:NAMED]
    listed = ", ".join(f"'{readable(name)}'" for name in shown)
    return listed if len(shown) == len(names) else f"{listed} and {len(names) - len(shown):,} more"


def readable(name: str) -> str:
    r"""A printable file name: bytes that are not UTF-8 as `\xe9`."""
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def plural(count: int, singular: str, several: str | None = None) -> str:
    """A count with its noun: `1 image`, `1,203 images`."""
    return f"{count:,} {singular if count == 1 else several or singular + 's'}"


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """` (did you mean 'cat'?)` if one of the names is close to `name`, else nothing."""
    by_folded = {known.casefold(): known for known in names}
    close = get_close_matches(name.casefold(), by_folded, n=1)
    return f" (did you mean '{by_folded[close[0]]}'?)" if close else ""


def nearest(word: str, known: Sequence[str], near: Sequence[str] = ()) -> str:
    """The right words nearest to a wrong one, else `near`, else the first of all."""
    if offered := get_close_matches(word, known, n=3, cutoff=0.5) or near:
        return " or ".join(f"`{one}`" for one in offered)
    return "one of " + ", ".join(known[:12]) + ", …" * (len(known) > 12)
