"""What can be wrong with what a user gave us, said in one way everywhere."""

from dataclasses import dataclass
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
