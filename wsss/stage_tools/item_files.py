"""A stage that writes a file for each of its images, in CPU processes."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from wsss.artifacts.store import Store
from wsss.data.item_table import select
from wsss.data.sample import Item
from wsss.stage_tools.context import Context
from wsss.stage_tools.progress import track
from wsss.stage_tools.worker_pool import ItemTask, check_failures, process_items

Calls = Iterable[tuple[Any, ...]]
"""Arguments of a task, an item first."""


def write_item_files(
    context: Context,
    items: Sequence[Item],
    store: Store,
    task: ItemTask,
    calls: Callable[[Sequence[Item]], Calls],
    description: str,
) -> None:
    """Have processes write the files of this rank's share of items; all ranks leave together.

    Args:
        context: processes, folder and rank.
        items: of the stage, those of all ranks.
        store: of the files; items that have theirs are not computed again.
        task: writes the file of an item.
        calls: from the items that lack theirs to the arguments of `task`.
        description: of the progress bar.

    Raises:
        WsssError: too many items failed.
    """
    own = context.share(items)
    pending = select(own, lambda item: not store.has(item))
    results = process_items(task, calls(pending), context.workers, context.folder, context.measured)
    done = len(own) - len(pending)
    for _ in track(results, len(own), description, done, visible=context.is_main):
        pass
    context.fabric.barrier()
    check_failures(context, len(items))
