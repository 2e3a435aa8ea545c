"""The number that a search makes as large, or as small, as it can."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from wsss.artifacts import read_json, write_json
from wsss.errors import unknown_word, user_error
from wsss.stages import CHAIN
from wsss.wording import did_you_mean

SEARCH = "search.json"
"""What a search is by, and its best run, in the folder of its runs."""
WHERE = "hydra.sweeper.objective"


def reads_masks(objective: str) -> bool:
    """Whether an objective is computed with ground truth, so that what it chooses is oracle.

    Raises:
        WsssError: it is no number of a stage.
    """
    stage, slash, _ = objective.partition("/")
    if stage not in CHAIN or not slash:
        remedy = "Write it as stage/number, such as segment/pseudo_miou."
        raise unknown_word(f"{WHERE}={objective}", "stage", stage, CHAIN, remedy)
    return bool(import_module(f"wsss.stages.{stage}").READS_MASKS)


def check_computed(objective: str, stages: Sequence[str]) -> None:
    """Make sure that the runs of a search compute its objective, before the first one starts.

    Raises:
        WsssError: its stage is not among those of the runs.
    """
    stage = objective.partition("/")[0]
    if stage not in stages:
        raise user_error(
            f"{WHERE}={objective}", f"runs of the stages {', '.join(stages)}",
            f"{stage} among them", "Add it to `stages`, or choose a number of one of them.",
        )  # fmt: skip


def value_of(objective: str, numbers: Mapping[str, float]) -> float:
    """The objective among the numbers of a finished run.

    Raises:
        WsssError: the run has no such number.
    """
    if objective not in numbers:
        meant = did_you_mean(objective, numbers)
        raise user_error(
            f"{WHERE}={objective}", f"no such number in a finished run{meant}",
            f"one of {', '.join(numbers)}", "Choose one: what has been computed is kept.",
        )  # fmt: skip
    return float(numbers[objective])


def note_search(folder: Path, objective: str, direction: str, best: tuple[int, float]) -> None:
    """Note what a search is by, and its best run so far."""
    number, value = best
    write_json(
        folder / SEARCH,
        {
            "objective": objective,
            "direction": direction,
            "oracle": reads_masks(objective),
            "best_run": str(number),
            "best_value": value,
        },
    )


def best_of_search(folder: Path, labels: Mapping[str, str] | None = None) -> str | None:
    """The best run of a search in a sentence; None where the folder is that of another sweep.

    Args:
        folder: of the search's logs.
        labels: what runs are called where they are shown, by their names.
    """
    if not (folder / SEARCH).is_file():
        return None
    found = read_json(folder / SEARCH)
    oracle = " (oracle: chosen with ground truth)" if found["oracle"] else ""
    how = "largest" if found["direction"] == "maximize" else "smallest"
    value = f"{found['best_value']:.4g}"
    run = (labels or {}).get(found["best_run"], found["best_run"])
    return f"Run {run} has the {how} {found['objective']}: {value}{oracle}."
