"""The runs of a sweep: each of them ends for itself, and all are shown together at the end."""

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from wsss.cli.error_messages import panel
from wsss.errors import Problem, WsssError

Task = Callable[[DictConfig], Any]
FULL_ERROR = "HYDRA_FULL_ERROR"


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


@dataclass
class Launch:
    """How the launch of a sweep has ended."""

    status: int = 0
    """1 where runs were lost, or where all of it was refused."""


@contextmanager
def whole_launch() -> Iterator[Launch]:
    """Tell in words what a launcher ends with in the block, and go on to what runs have left."""
    launch = Launch()
    before = os.environ.get(FULL_ERROR)
    os.environ[FULL_ERROR] = "1"  # Hydra would print a traceback, and leave.
    try:
        yield launch
    except SystemExit as left:
        launch.status = int(bool(left.code))
    except WsssError:
        raise
    except Exception as error:
        launch.status = 1
        reason = (str(error).strip() or "without a word").splitlines()[0]
        lost = Problem(
            "hydra/launcher",
            f"{type(error).__name__}: {reason}",
            "a launcher that ends after all of its runs",
            "What is finished is kept: the same command goes on from there. Where the machine has "
            "too little memory, start fewer runs at once.",
        )
        Console(stderr=True).print(panel([lost]))
    finally:
        if before is None:
            os.environ.pop(FULL_ERROR, None)
        else:
            os.environ[FULL_ERROR] = before


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
    from wsss.comparing.score_differences import compare_scores
    from wsss.searching.objective import best_of_search

    runs = read_sweep(folder, expected)
    if not runs:
        return 1
    best = best_of_search(folder, {run.name: run.label for run in runs})
    title = f"{'Sweep' if best is None else 'Search'} {folder.name}"
    scores = compare_scores(runs)
    page = write_page(runs, folder / "comparison.html", title=title, scores=scores, remark=best)
    console = Console()
    console.print(compared_runs.outcome(runs, page, best, scores), crop=False)
    return int(any(run.status != "finished" for run in runs))
