"""Progress as a line now and then: for log files, pipes and continuous integration."""

import logging
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import Progress, Task, TaskID

from wsss.report.formatting import duration
from wsss.wording import plural

log = logging.getLogger(__name__)

FIRST_LINE_S = 10.0
"""Time to the first line: work that takes less has its last one alone."""
BETWEEN_S = 30.0
"""Least time between two lines."""
SILENCE_S = 300.0
"""Longest time without a line, however little is done: services stop jobs that say nothing."""
SHARE = 0.1
"""Share of the work between two lines, where `SILENCE_S` allows it."""
AVERAGED_S = 120.0
"""The last seconds, over which the rate is measured."""


class ProgressLines(Progress):
    """Rich's account of steps, told by lines without control codes.

    Where logging is set up they are log lines, which have the time and are in the log file, too;
    else they are printed. A line at the end tells how long it took, unless nothing was done or an
    exception ended it.
    """

    def __init__(self, console: Console) -> None:
        """Hold the console to print on, whose clock counts."""
        super().__init__(console=console, speed_estimate_period=AVERAGED_S, disable=True)
        self._next_s = 0.0
        self._next_step = 0.0
        self._last_s = 0.0

    def add_task(self, *args: Any, **fields: Any) -> TaskID:
        """Add a task with the fields `unit`, `now` and `before`; see rich."""
        number = super().add_task(*args, **fields)
        task = self._tasks[number]
        self._last_s = self.get_time()
        self._next_s = self._last_s + FIRST_LINE_S
        self._next_step = task.completed
        return number

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Add steps; a line if one is due."""
        super().advance(task_id, advance)
        self._tell_if_due(self._tasks[task_id])

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Change a task; a line if one is due."""
        super().update(task_id, **changes)
        self._tell_if_due(self._tasks[task_id])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """The last line of each task."""
        super().__exit__(kind, error, traceback)
        for task in self._tasks.values():
            if kind is None and task.completed > task.fields["before"]:
                self._print(last_line(task))

    def _tell_if_due(self, task: Task) -> None:
        now = self.get_time()
        if now < self._next_s or task.finished:
            return
        if task.completed < self._next_step and now < self._last_s + SILENCE_S:
            return
        self._last_s, self._next_s = now, now + BETWEEN_S
        self._next_step = task.completed + SHARE * (task.total or 0)
        self._print(line(task))

    def _print(self, text: str) -> None:
        if log.isEnabledFor(logging.INFO):
            log.info(text)
        else:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)


def line(task: Task) -> str:
    """Steps done and left: `refine: 120 of 616 images, 3.2/s, 2 min 35 s left`.

    The first step alone tells no time: it may have waited for a compilation, for processes to
    start, or for the rest of its batch.
    """
    parts = [f"{int(task.completed):,} of {_steps(task.total or 0, task)}"]
    only_first = task.completed - task.fields["before"] == 1
    if not only_first and (per_s := speed(task)) is not None:
        parts += [rate(per_s), f"{duration(seconds_left(task, per_s))} left"]
    return _with_now(task, ", ".join(parts))


def last_line(task: Task) -> str:
    """What was done in how long: `refine: 616 images in 3 min 12 s, 3.2/s`."""
    steps, seconds = task.completed - task.fields["before"], task.elapsed or 0.0
    all_of_them = f" ({int(task.completed):,} in all)" if steps < task.completed else ""
    per_s = f", {rate(steps / seconds)}" if seconds > 0 else ""
    done = f"{_steps(steps, task)} in {duration(seconds)}{per_s}{all_of_them}"
    return _with_now(task, done)


def speed(task: Task) -> float | None:
    """Steps a second: the last ones', or of all where these take too long; None before the first.

    Rich knows no rate where its window holds one step alone.
    """
    steps, seconds = task.completed - task.fields["before"], task.elapsed
    return task.speed or (steps / seconds if steps > 0 and seconds else None)


def seconds_left(task: Task, per_s: float) -> float:
    """Time to the end of a task, at a rate in steps a second."""
    return max(0.0, (task.total or 0) - task.completed) / per_s


def rate(per_s: float) -> str:
    """Steps a second, or the time of each where that is more than a second: `3.2/s`, `41 s each`.

    Args:
        per_s: steps a second, above 0.
    """
    return f"{per_s:.1f}/s" if per_s >= 1 else f"{duration(1 / per_s)} each"


def _steps(count: float, task: Task) -> str:
    unit = task.fields["unit"]
    return plural(int(count), unit, f"{unit}es" if unit.endswith("s") else None)


def _with_now(task: Task, text: str) -> str:
    now = f"; {task.fields['now']}" if task.fields["now"] else ""
    return f"{task.description}: {text}{now}"
