"""The runs of a sweep: each of them ends for itself, and all are shown together at the end."""

import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from wsss.cli.error_messages import panel
from wsss.errors import WsssError

Task = Callable[[DictConfig], Any]


def run_of_sweep(task: Task, program: str, command: str) -> Task:
    """The task of a command as a run of a sweep, in this process or that of a launcher.

    A problem is shown and ends this run alone: gives None then. The record of the run names it.

    Args:
        task: of the command.
        program: what the command line begins with.
        command: `run`.
    """
    here = str(Path.cwd())

    def run(cfg: DictConfig) -> Any:
        if here not in sys.path:  # For `_target_`s of the user's own, in another process.
            sys.path.append(here)
        # Lightning starts further processes with the command line of this one: that of one run.
        sys.argv = [program, command, *words_of_run()]
        try:
            return task(cfg)
        except WsssError as error:
            Console(stderr=True).print(panel(error.problems))
        except Exception:
            traceback.print_exc()
        return None

    return run


def words_of_run() -> list[str]:
    """The words that start this run of a sweep alone."""
    overrides = HydraConfig.get().overrides
    paths = (word for word in overrides.hydra if word.startswith("hydra.searchpath="))
    return [*map(str, paths), *map(str, overrides.task)]


def show_sweep(folder: Path, expected: Sequence[Sequence[str]] = ()) -> int:
    """Show the runs of a sweep in a table and on a page, and give the exit status.

    Args:
        folder: of the sweep's logs.
        expected: the words of every run, one that left no record included.

    Returns:
        1 if a run has failed or did not finish, else 0.
    """
    from wsss.cli.tables import compared_runs
    from wsss.comparing.compared_run import read_sweep
    from wsss.comparing.page import write_page
    from wsss.searching.objective import best_of_search

    runs = read_sweep(folder, expected)
    if not runs:
        return 1
    best = best_of_search(folder)
    title = f"{'Sweep' if best is None else 'Search'} {folder.name}"
    page = write_page(runs, folder / "comparison.html", title=title, remark=best)
    console = Console()
    console.print(compared_runs.outcome(runs, page, best), crop=False)
    return int(any(run.status != "finished" for run in runs))
