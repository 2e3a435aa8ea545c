"""Parallel work on items in CPU processes, with a record of those that failed."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread
from typing import Any

from wsss.artifacts import read_json, write_json
from wsss.data.sample import Item
from wsss.errors import WsssError, user_error
from wsss.files import StorageError
from wsss.machine.memory import keep_freed_memory
from wsss.machine.processes import Spawn
from wsss.stage_tools.context import Context
from wsss.stage_tools.measured import PROCESSES, Measured

FAILURES = "failures"

ItemTask = Callable[..., None]
"""Work on one item: picklable, called as `task(item, *more)`, writes its own result."""

ITEM_ERRORS = (WsssError, OSError, ValueError)
"""Errors of a single item; of these a `StorageError` ends the run."""

_work: tuple[ItemTask, Path]
"""The task of a worker process, sent once since it holds the lists of the data set; its folder."""


def _install(task: ItemTask, folder: Path) -> None:
    global _work
    _work = task, folder
    keep_freed_memory()  # a tenth of the dense CRF's time
    Thread(target=_leave_with_the_run, daemon=True).start()


def _leave_with_the_run() -> None:
    """End a worker whose run was killed: it would wait for work for ever."""
    if (run := parent_process()) is not None:
        run.join()
        os._exit(1)


def _attempt(item: Item, *more: Any) -> None:
    task, folder = _work
    with failure_noted(folder, item):
        task(item, *more)


@contextmanager
def failure_noted(folder: Path, item: Item) -> Iterator[None]:
    """Note an error in the block that concerns the item alone, and go on behind the block."""
    try:
        yield
    except StorageError:
        raise
    except ITEM_ERRORS as error:
        note_failure(folder, item, str(error))


def process_items(
    task: ItemTask,
    calls: Iterable[tuple[Any, ...]],
    workers: int,
    folder: Path,
    measured: Measured | None = None,
) -> Iterator[Item]:
    """Run `task(item, *more)` for every call on `workers` processes, yielding finished items.

    Without workers everything runs in this process. Others are spawned, since torch's threads would
    not survive a fork. A few calls a process are queued at most, so that memory does not grow with
    their number. An item that fails is noted in the stage's folder and does not stop the others.

    Args:
        task: the work on an item.
        calls: its arguments, an item first; they may be computed while the processes work.
        workers: number of processes.
        folder: the stage's.
        measured: where the wait for the processes is counted.
    """
    measured = measured or Measured()
    if workers == 0:
        for item, *more in calls:
            with measured.waiting_for(PROCESSES), failure_noted(folder, item):
                task(item, *more)
            yield item
        return
    pool = ProcessPoolExecutor(workers, Spawn(), _install, (task, folder))
    running: dict[Future[None], Item] = {}
    try:
        for call in calls:
            if len(running) >= 4 * workers:
                yield from _collect(running, measured)
            running[pool.submit(_attempt, *call)] = call[0]
        while running:
            yield from _collect(running, measured)
    except BrokenProcessPool as error:
        raise user_error(
            folder, "a worker process was killed or could not start", "worker processes that live",
            "If memory ran out, use fewer `workers`. Finished items are kept: the same command "
            "goes on from there.",
        ) from error  # fmt: skip
    finally:
        pool.shutdown(cancel_futures=True)


def _collect(running: dict[Future[None], Item], measured: Measured) -> Iterator[Item]:
    with measured.waiting_for(PROCESSES):
        finished, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in finished:
        future.result()
        yield running.pop(future)


def note_failure(folder: Path, item: Item, reason: str) -> None:
    """Record that an item of a stage could not be processed."""
    write_json(folder / FAILURES / f"{item.file_stem}.json", {"id": item.id, "reason": reason})


def failures(folder: Path) -> dict[str, str]:
    """All noted failures of a stage, by id, from every rank."""
    notes = sorted((folder / FAILURES).glob("*.json"))
    return {note["id"]: note["reason"] for note in map(read_json, notes)}


def forget_failures(folder: Path) -> None:
    """Drop all notes of an earlier attempt: its failed items are tried again."""
    for note in (folder / FAILURES).glob("*.json"):
        note.unlink()


def check_failures(context: Context, total: int) -> None:
    """Let a stage fail when too many of its items did.

    Raises:
        WsssError: more than `max_failed_fraction` of `total` items failed.
    """
    failed = failures(context.folder)
    if len(failed) > context.max_failed_fraction * total:
        raise user_error(
            context.folder / FAILURES,
            f"{len(failed)} of {total} items could not be processed; the first: "
            + next(iter(failed.values())),
            f"at most {context.max_failed_fraction:.0%} failures",
            "Mend the files and run again: finished items are kept. "
            "`max_failed_fraction=0.1` would tolerate more.",
        )
