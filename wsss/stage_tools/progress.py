"""Progress bars with rate and time left."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

T = TypeVar("T")


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "–/s", style="progress.data.speed")


def track(
    results: Iterable[T], total: int, description: str, done: int = 0, visible: bool = True
) -> Iterator[T]:
    """Yield `results` unchanged, with a bar of their number, rate and time left.

    Args:
        results: passed on one by one.
        total: number of results in all, those of an earlier attempt included.
        description: of the bar.
        done: results of an earlier attempt that are not in `results`.
        visible: off on all ranks but the first.
    """
    with _bar(visible) as progress:
        task = progress.add_task(description, total=total, completed=done)
        for result in results:
            yield result
            progress.advance(task)


Report = Callable[[float, str], None]
"""Takes the number of steps that are done, which may be a fraction, and what is computed next."""


@contextmanager
def reporting(total: int, description: str, visible: bool = True) -> Iterator[Report]:
    """A bar of `total` steps, for long ones that say what they are about."""
    with _bar(visible) as progress:
        task = progress.add_task(description, total=total)

        def report(done: float, now: str) -> None:
            shown = f"{description} {now}" if now else description
            progress.update(task, completed=done, description=escape(shown))

        yield report


def _bar(visible: bool) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, disable=not visible)
