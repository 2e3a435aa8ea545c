"""`wsss runs`."""

import argparse
import sys
import time
from pathlib import Path

from omegaconf import OmegaConf
from rich.console import Console

from wsss.errors import user_error


def runs(words: list[str], arguments: argparse.Namespace) -> None:
    """List what is in a work folder, show a stage, or remove what nothing needs."""
    from wsss.cli.tables.runs import list_table, stage_page
    from wsss.runs.catalogue import catalogue
    from wsss.runs.request import configure, keys_of, request_of

    cfg = configure(words)
    if arguments.cfg:
        print(OmegaConf.to_yaml(cfg))
        return
    request = request_of(cfg)
    console = Console()
    if request.action == "show":
        for folder in request.folders:
            work_dir = request.work_dir
            if folder.is_dir() and len(folder.absolute().parents) > 1:
                work_dir = folder.absolute().parents[1]
            found = catalogue(work_dir)
            (key,) = keys_of(found, "wsss runs show", [str(folder)])
            console.print(stage_page(found, found.folders[key]), crop=False)
        return
    found = catalogue(request.work_dir)
    if request.action == "list":
        console.print(list_table(found), crop=False)
        return
    _prune(console, request.work_dir, request.keep, request.unfinished_days, request.yes)


def _prune(
    console: Console, work_dir: Path, keep: tuple[str, ...], unfinished_days: float, yes: bool
) -> None:
    from wsss.cli.tables.runs import choice_table, size
    from wsss.runs.catalogue import catalogue
    from wsss.runs.choice import choose
    from wsss.runs.going_on import check_idle
    from wsss.runs.records import results
    from wsss.runs.removal import remove, remove_left_locks
    from wsss.runs.request import keys_of
    from wsss.wording import plural

    found = catalogue(work_dir)
    check_idle(found, time.time())
    kept = keys_of(found, "keep", keep) or results(found)
    choice = choose(found, kept, unfinished_days, time.time())
    if not choice.removed:
        console.print("Everything is needed: nothing to remove.")
        return
    console.print(choice_table(choice), crop=False)
    what = f"{plural(len(choice.removed), 'folder')}, {size(choice.num_bytes)}"
    if not yes and not _agreed(console, f"Remove {what} from {found.work_dir}?"):
        console.print("Nothing was removed.")
        return
    removed = 0
    for one, free in remove([one for one, _ in choice.removed]):
        if free:
            removed += one.num_bytes
        else:
            console.print(f"kept, since a run has begun to compute it: {one.folder}")
    console.print(f"Removed {size(removed)}.")
    remove_left_locks(found.work_dir)


def _agreed(console: Console, question: str) -> bool:
    """Whether the user says yes.

    Raises:
        WsssError: there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise user_error(
            "wsss runs prune", "no terminal to ask in", "an answer, or `yes=true`",
            "Add `--yes` to remove what is listed without being asked.",
        )  # fmt: skip
    return console.input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
