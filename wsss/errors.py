"""Errors that a user can mend, in one form."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from wsss.wording import nearest


class Severity(StrEnum):
    """Effect of a problem on a run."""

    ERROR = "error"
    """The run cannot start, or its results would be useless."""
    SKIPPED = "skipped"
    """This one item is left out; the run goes on without it."""
    WARNING = "warning"
    """The run works, but the user should know."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem: where, what came, what was expected, what to do."""

    where: str
    """File, configuration key or command."""
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
        """Hold problems; torch re-raises an error of a loader worker with its text alone."""
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
        # Pickle the problems instead of the message.
        return type(self).__new__, (type(self),), self.__dict__


class LibraryError(WsssError):
    """An invalid or unsupported argument of an object of this package, in Python's terms.

    An application reports it by `problem` under its own name of the argument, and chooses its own
    remedy by `needs`.
    """

    option: str
    """Dotted path of the argument, from the caller's object; empty for the object itself."""
    needs: frozenset[str]
    """Names of missing requirements."""

    def problem(self, where: str) -> Problem:
        """The problem, under another name of the argument."""
        (problem,) = self.problems
        return replace(problem, where=where)


class InvalidOptionError(LibraryError, ValueError):
    """An argument with an invalid or unavailable value."""

    def __init__(
        self,
        option: str,
        value: object,
        expected: str,
        reason: str = "",
        remedy: str = "Correct the value.",
        needs: Collection[str] = (),
    ) -> None:
        """Describe the refused value.

        Args:
            option: name of the argument.
            value: what came.
            expected: what should have come.
            reason: the problem of the value, unless obvious from `expected`.
            remedy: what to do, as an imperative sentence that names no argument.
            needs: names of missing requirements.
        """
        self.option, self.value, self.expected = option, value, expected
        self.reason, self.needs = reason, frozenset(needs)
        came = reason or f"{value!r:.80}"
        super().__init__(Problem(self._with_value(option), came, expected, remedy))

    def problem(self, where: str) -> Problem:
        """The problem, under another name of the argument."""
        return super().problem(self._with_value(where))

    def _with_value(self, where: str) -> str:
        """The name of the argument, and its value where a reason stands in the value's place."""
        return f"{where}={self.value}" if self.reason else where

    def __str__(self) -> str:
        if self.reason:
            return super().__str__()
        return f"{self.option}={self.value!r:.80}: expected {self.expected}"


class UnsupportedError(LibraryError):
    """A model or a machine that lacks what an object needs."""

    def __init__(
        self, owner: str, came: str, expected: str, remedy: str, needs: Collection[str] = ()
    ) -> None:
        """Name the object, the problem, and missing requirements."""
        self.owner, self.option, self.needs = owner, "", frozenset(needs)
        super().__init__(Problem(owner, came, expected, remedy))

    def problem(self, where: str) -> Problem:
        """The problem, under the name of the argument that holds the object."""
        return super().problem(where or self.owner)


@contextmanager
def inside(argument: str) -> Iterator[None]:
    """Prefix the argument of a LibraryError in the block: `device` becomes `engine.device`."""
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
    """Build the error for an unknown word, with the nearest known ones, else the first of all.

    Args:
        where: file, configuration key or command the word is from.
        kind: of the named thing, such as "method".
        word: what came.
        known: all right words.
        remedy: what to do, as an imperative sentence.
        near: right words to offer where none is spelt like it.
    """
    return user_error(where, f"there is no {kind} `{word}`", nearest(word, known, near), remedy)
