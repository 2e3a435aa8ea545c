"""Progress bars with rate and time left."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

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
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, disable=not visible) as progress:
        task = progress.add_task(description, total=total, completed=done)
        for result in results:
            yield result
            progress.advance(task)
