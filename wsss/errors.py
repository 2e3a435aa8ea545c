"""What can be wrong with what a user gave us, said in one way everywhere."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from wsss.wording import nearest


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
            Problem("data loader", p, "readable data", "Check the files of this data set.")
            if isinstance(p, str)
            else p
            for p in problems
        )
        super().__init__()

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process gets the problems, not a message of them.
        return type(self).__new__, (type(self),), self.__dict__


class LibraryError(WsssError):
    """What an object of this package was given and cannot work with, told in Python's terms.

    An application has other names and other remedies: it tells the same by `problem`, with the name
    that its users know, and finds its own remedy by what is missing.
    """

    option: str
    """The argument, as a path from the object that the caller has; empty for the object itself."""
    needs: frozenset[str]
    """Names of what is missing, where it has names."""

    def problem(self, where: str) -> Problem:
        """The problem, told by another name of the argument."""
        raise NotImplementedError


class InvalidOptionError(LibraryError, ValueError):
    """An argument with a value that it cannot have, or that cannot be had."""

    def __init__(
        self,
        option: str,
        value: object,
        expected: str,
        reason: str = "",
        remedy: str = "Correct the value.",
        needs: Collection[str] = (),
    ) -> None:
        """Describe what was refused.

        Args:
            option: name of the argument.
            value: what came.
            expected: what should have come.
            reason: what is wrong with the value, where `expected` does not say it.
            remedy: what to do, as an imperative sentence that names no argument.
            needs: names of what is missing.
        """
        self.option, self.value, self.expected = option, value, expected
        self.reason, self.remedy, self.needs = reason, remedy, frozenset(needs)
        super().__init__(self.problem(option))

    def problem(self, where: str) -> Problem:
        """The problem, told by another name of the argument."""
        if self.reason:
            return Problem(f"{where}={self.value}", self.reason, self.expected, self.remedy)
        return Problem(where, f"{self.value!r:.80}", self.expected, self.remedy)

    def __str__(self) -> str:
        if self.reason:
            return super().__str__()
        return f"{self.option}={self.value!r:.80}: expected {self.expected}"


class UnsupportedError(LibraryError):
    """A model or a machine that lacks what an object needs."""

    def __init__(
        self, owner: str, came: str, expected: str, remedy: str, needs: Collection[str] = ()
    ) -> None:
        """Name the class that needs something, what it was given, and names of what is missing."""
        self.owner, self.came, self.expected = owner, came, expected
        self.option, self.remedy, self.needs = "", remedy, frozenset(needs)
        super().__init__(self.problem(""))

    def problem(self, where: str) -> Problem:
        """The problem, told by the name of the argument that the object is."""
        return Problem(where or self.owner, self.came, self.expected, self.remedy)


@contextmanager
def inside(argument: str) -> Iterator[None]:
    """Tell what is refused in the block as a part of an argument: `device` as `engine.device`."""
    try:
        yield
    except LibraryError as error:
        error.option = f"{argument}.{error.option}".rstrip(".")
        error.problems = (error.problem(error.option),)
        raise


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
    return user_error(where, f"there is no {kind} `{word}`", nearest(word, known, near), remedy)
