"""Parts of a check, one after the other: each is told, and written, as it ends."""

import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from wsss.artifacts import write_json

OK, FAILED, LEFT_OUT = "ok", "failed", "left out"
WIDE = 140
COLOURS = {OK: "green", FAILED: "red", LEFT_OUT: "yellow"}


@dataclass(frozen=True, slots=True)
class Aim:
    """A number beside what it should be."""

    name: str
    found: float | None
    """None where nothing was measured."""
    aim: str
    met: bool | None


def at_most(name: str, found: float | None, limit: float, unit: str = "") -> Aim:
    met = None if found is None else bool(found <= limit)
    return Aim(name, found, f"at most {limit:g}{unit}", met)


def at_least(name: str, found: float | None, limit: float, unit: str = "") -> Aim:
    met = None if found is None else bool(found >= limit)
    return Aim(name, found, f"at least {limit:g}{unit}", met)


@dataclass(slots=True)
class Found:
    """What a part finds; it is written also where the part fails on its way."""

    numbers: dict[str, Any] = field(default_factory=dict)
    aims: list[Aim] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """Why the part has failed although it came to its end."""
    notes: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


Part = Callable[[Found], None]


class Parts:
    """Runs parts, and keeps the file of their results."""

    def __init__(
        self,
        path: Path,
        head: dict[str, Any],
        limit_s: float,
        aims_count: bool,
        console: Console,
        judged: bool = True,
    ) -> None:
        """Begin a file of results.

        Args:
            path: JSON.
            head: what the results belong to, such as the card.
            limit_s: parts that would begin after this time are left out.
            aims_count: whether a part fails whose aim is not met.
            console: where lines and tables are printed.
            judged: whether aims are meant for this device.
        """
        self._judged = judged
        self._path = path
        self._limit_s = limit_s
        self._aims_count = aims_count
        self._console = console
        self._start = time.monotonic()
        self.result: dict[str, Any] = {**head, "aims": [], "parts": {}}

    @property
    def left_s(self) -> float:
        """Seconds until the limit, a few at least, for commands that a part starts."""
        return max(5.0, self._limit_s - (time.monotonic() - self._start))

    @property
    def passed(self) -> bool:
        """Whether every part has come to its end without a failure."""
        return all(part["status"] == OK for part in self.result["parts"].values())

    def run(self, name: str, measure: Part) -> None:
        """Run a part, print a line on it, and write what it found."""
        start, found = time.monotonic(), Found()
        if start - self._start > self._limit_s:
            found.failures.append(f"{self._limit_s:g} s are over (--limit-s)")
            self._end(name, found, LEFT_OUT, 0.0, None)
            return
        trace = None
        try:
            measure(found)
        except Exception as error:  # Whatever is wrong with one part, the others are run.
            found.failures.append(f"{type(error).__name__}: {first_line(error)}")
            trace = traceback.format_exc()
        if self._aims_count:
            found.failures += [
                f"{one.name} is {one.found:.3g}, expected {one.aim}"
                for one in found.aims
                if one.met is False
            ]
        status = FAILED if found.failures else OK
        self._end(name, found, status, time.monotonic() - start, trace)

    def _end(self, name: str, found: Found, status: str, seconds: float, trace: str | None) -> None:
        why = "; ".join(found.failures)
        if not self._judged:
            found.aims = [replace(one, met=None) for one in found.aims]
        self.result["parts"][name] = {
            "status": status,
            "why": why,
            "seconds": round(seconds, 1),
            "notes": found.notes,
            **found.numbers,
            **({"traceback": trace} if trace else {}),
        }
        self.result["aims"] += [{"part": name, **asdict(one)} for one in found.aims]
        self.result["seconds"] = round(time.monotonic() - self._start, 1)
        write_json(self._path, self.result)
        say = self._console.print
        for table in found.tables:
            say(table)
        for one in found.aims:
            number = "not measured" if one.found is None else f"{one.found:.4g}"
            unknown = "" if self._judged else " on a GPU, not judged here"
            verdict = {None: unknown, True: ", met", False: ", [red]not met[/]"}[one.met]
            say(f"  {escape(one.name)}: {number} (aim: {one.aim}{verdict})", soft_wrap=True)
        for note in found.notes:
            say(f"  {escape(note)}", soft_wrap=True)
        reason = f" ({escape(why)})" if why else ""
        line = f"[{COLOURS[status]}]{status}[/]  {name}{reason}, {seconds:.1f} s"
        say(line, soft_wrap=True)


def make_console() -> Console:
    """Standard output; wide where it is no terminal, as tables are read in a file later."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDE)


def first_line(error: BaseException) -> str:
    """What an error says, in a line."""
    return next(iter(str(error).strip().splitlines()), "no message")


def table(title: str, head: list[str], rows: list[list[str]]) -> Table:
    """A table whose first column is text, and the others numbers."""
    made = Table(title=title, title_justify="left")
    for position, heading in enumerate(head):
        made.add_column(heading, justify="right" if position else "left")
    for row in rows:
        made.add_row(*map(escape, row))
    return made
