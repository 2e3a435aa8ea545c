"""Error messages and exit statuses of the commands."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from wsss.errors import Problem, WsssError
from wsss.wording import INTERRUPTED

RANKS = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
"""Where torchrun, SLURM and Lightning tell a process its number."""


@contextmanager
def readable_errors(resumes: bool = False) -> Iterator[None]:
    """Show problems the user can mend without a traceback, and leave with status 1.

    An interruption is told in a line, with status 130, by the first process for all.

    Args:
        resumes: whether a command that is interrupted goes on where it was when it is run again.
    """
    try:
        yield
    except WsssError as error:
        if (number := rank()) == 0:
            Console(stderr=True).print(panel(error.problems))
        else:
            print(f"process {number}: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        if rank() == 0:
            again = INTERRUPTED if resumes else "The same command begins anew."
            Console(stderr=True).print(f"\nInterrupted. {again}", soft_wrap=True)
        sys.exit(130)


def rank() -> int:
    """The number of this process among those of the run."""
    if lightning := sys.modules.get("lightning_fabric.utilities.rank_zero"):
        return int(getattr(lightning.rank_zero_only, "rank", 0))
    return int(next((os.environ[name] for name in RANKS if name in os.environ), 0))


def panel(problems: Sequence[Problem]) -> Panel:
    """One paragraph a problem: where, what came, what was expected, what to do."""
    paragraphs = [
        Text.assemble(
            (problem.where, "bold"),
            f"\n  {problem.came}\n",
            ("  expected: ", "dim"),
            f"{problem.expected}\n",
            ("  → ", "green"),
            problem.remedy,
        )
        for problem in problems
    ]
    count = "" if len(problems) == 1 else f" ({len(problems)} problems)"
    return Panel(Group(*paragraphs), title=f"wsss cannot go on{count}", border_style="red")
