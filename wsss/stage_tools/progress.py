"""How far a long computation is, with rate and time left: a bar, or lines in a log."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich import get_console
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
)
from rich.table import Column
from rich.text import Text

from wsss.report.formatting import duration
from wsss.stage_tools.progress_lines import ProgressLines, rate, seconds_left, speed

NARROW = 60
"""Characters of a terminal below which numbers take the place of the bar."""

T = TypeVar("T")


def track(
    results: Iterable[T],
    total: int,
    description: str,
    done: int = 0,
    visible: bool = True,
    *,
    unit: str = "image",
    count: Callable[[T], int] | None = None,
) -> Iterator[T]:
    """Yield `results` unchanged, with a bar or lines of their number, rate and time left.

    Args:
        results: passed on one by one.
        total: number of steps in all, those of an earlier attempt included.
        description: what is computed.
        done: steps of an earlier attempt that are not in `results`.
        visible: off on all ranks but the first.
        unit: what a step is.
        count: number of steps of a result, such as a batch's images; None: each is one.
    """
    with _shown(visible) as progress:
        task = _started(progress, total, description, done, unit)
        for result in results:
            yield result
            progress.advance(task, 1 if count is None else count(result))


Report = Callable[[float, str], None]
"""Takes the number of steps that are done, which may be a fraction, and what is computed next."""


@contextmanager
def reporting(
    total: int, description: str, visible: bool = True, *, unit: str = "step", done: float = 0
) -> Iterator[Report]:
    """A bar or lines of `total` steps, for long ones that say what they are about.

    Args:
        total: number of steps in all, those of an earlier attempt included.
        description: what is computed.
        visible: off on all ranks but the first.
        unit: what a step is.
        done: steps of an earlier attempt.
    """
    with _shown(visible) as progress:
        task = _started(progress, total, description, done, unit)

        def report(done: float, now: str) -> None:
            progress.update(task, completed=done, now=now)

        yield report


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        per_s = task.finished_speed or speed(task)
        return Text(rate(per_s) if per_s else "–/s", "progress.data.speed")


class _TimeColumn(ProgressColumn):
    """Time left, and in the end the time that was taken."""

    def render(self, task: Task) -> Text:
        if task.finished:
            return Text(f"in {duration(task.finished_time or 0)}", "progress.elapsed")
        per_s = speed(task)
        left = f"{duration(seconds_left(task, per_s))} left" if per_s else ""
        return Text(left, "progress.remaining")


class _Bars(Progress):
    """Bars, each with what is computed next below it."""

    def get_renderables(self) -> Iterable[RenderableType]:
        """Narrow terminals shorten the bar first, then fold words."""
        for task in self.tasks:
            yield self.make_tasks_table([task])
            if now := task.fields["now"]:
                yield Text(f"  {now}", overflow="fold")


def _shown(visible: bool) -> Progress:
    """A bar on a terminal and in a notebook, else lines."""
    console = get_console()
    if visible and not _can_move(console):
        return ProgressLines(console)
    whole = Column(no_wrap=True)
    return _Bars(
        TextColumn("{task.description}", markup=False, table_column=Column(overflow="fold")),
        *([BarColumn()] if console.width >= NARROW else []),
        MofNCompleteColumn(table_column=whole),
        _RateColumn(whole),
        _TimeColumn(whole),
        console=console,
        disable=not visible,
    )


def _started(progress: Progress, total: int, description: str, done: float, unit: str) -> TaskID:
    """A task with what the columns and lines show."""
    number = progress.add_task(description, total=total, unit=unit, now="", before=done)
    progress.update(number, completed=done)
    return number


def _can_move(console: Console) -> bool:
    """Whether a bar can be drawn over: not in a file, though `FORCE_COLOR` asks for colours."""
    is_drawable = console.is_interactive and getattr(console.file, "isatty", lambda: False)()
    return console.is_jupyter or is_drawable
