"""What can be wrong with what a user gave us, said in one way everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum


class Severity(StrEnum):
    """How much a problem matters to a run."""

    ERROR = "error"
    """A run cannot start or would produce nothing of worth."""
    SKIPPED = "skipped"
    """This one item is left out; the run goes on without it."""
    WARNING = "warning"
    """The run works, but the user should know."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, what came, what was expected, what to do."""

    where: str
    """File, configuration key or command the user can go to."""
    came: str
    """What was found there."""
    expected: str
    """What should have been there."""
    remedy: str
    """What the user can do about it, as an imperative sentence."""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.where}: {self.came}. Expected {self.expected}. {self.remedy}"


class WsssError(Exception):
    """An error the user can mend; the command line prints its problems without a traceback."""

    def __init__(self, *problems: Problem | str) -> None:
        """Hold problems; a bare message is what torch's loader makes of an error in a worker."""
        self.problems = tuple(
            Problem("data loader", p, "readable data", "Run `wsss check` on this data set.")
            if isinstance(p, str)
            else p
            for p in problems
        )
        super().__init__("\n".join(map(str, self.problems)))


def user_error(where: object, came: str, expected: str, remedy: str) -> WsssError:
    """Build a `WsssError` of a single problem, to be raised by the caller."""
    return WsssError(Problem(str(where), came, expected, remedy))


def unknown_word(
    where: str, kind: str, word: str, known: Sequence[str], remedy: str, near: Sequence[str] = ()
) -> WsssError:
    """Build the answer to a word nobody knows: the nearest ones, else the first of all.

    Args:
        where: file, configuration key or command the word is from.
        kind: what the word should name, such as "method".
        word: what came.
        known: all right words.
        remedy: what to do, as an imperative sentence.
        near: right words to offer where none is spelt like it.
    """
    offered = get_close_matches(word, known, n=3, cutoff=0.5) or near
    listed = "one of " + ", ".join(known[:12]) + ", …" * (len(known) > 12)
    expected = " or ".join(f"`{one}`" for one in offered) if offered else listed
    return user_error(where, f"there is no {kind} `{word}`", expected, remedy)
