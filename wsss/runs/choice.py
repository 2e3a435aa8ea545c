"""Which stages nothing needs any more."""

from collections.abc import Sequence
from dataclasses import dataclass

from wsss.errors import WsssError, user_error
from wsss.runs.catalogue import Catalogue, Key, StageFolder
from wsss.stages import GOALS

DAY_S = 24 * 3600
SETTLED_S = 60
"""A run takes less from the end of a stage to the lock of the next one."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is removed, and why; later stages before those that they came from."""

    removed: tuple[tuple[StageFolder, str], ...]

    @property
    def num_bytes(self) -> int:
        """Size of all of it."""
        return sum(one.num_bytes for one, _ in self.removed)


def choose(found: Catalogue, keep: Sequence[Key], unfinished_days: float, now_s: float) -> Choice:
    """The stages that can be removed without anything kept losing what it came from.

    Kept are the results that runs are made for – segmenters, evaluations, reports –, or those alone
    that are named; unfinished stages that were written to lately, since the same command goes on
    with them; and all that these came from.

    Args:
        found: all stages.
        keep: the results to keep; none: every one of a goal's stage.
        unfinished_days: unfinished stages are kept that were written to in so many days.
        now_s: seconds since 1970.
    """
    goals = list(keep) or [
        key for key, one in found.folders.items() if one.manifest and key[0] in GOALS
    ]
    days = {key: (now_s - one.changed_s) / DAY_S for key, one in found.folders.items()}
    going_on = [
        key
        for key, one in found.folders.items()
        if one.manifest is None and days[key] < unfinished_days
    ]
    kept = found.origins([*goals, *going_on])
    removed = []
    for key, one in reversed([*found.folders.items()]):
        if key not in kept:
            unfinished = f"unfinished, for {days[key]:.0f} days"
            removed.append(
                (one, "no result that is kept came from it" if one.manifest else unfinished)
            )
    return Choice(tuple(removed))


def check_idle(found: Catalogue, now_s: float) -> None:
    """Refuse to choose while a run is going on, whose next stages need what no manifest names yet.

    Raises:
        WsssError: names the stage that a run is computing, or has just finished.
    """
    for one in found.folders.values():
        if one.locked:
            raise _busy(one, "a run is computing this stage")
        if one.manifest is not None and now_s - one.changed_s < SETTLED_S:
            raise _busy(one, "a stage that has just finished: its run may go on")


def _busy(one: StageFolder, came: str) -> WsssError:
    return user_error(
        one.folder, came, "a work folder in which no run is going on",
        "Wait until it ends, or for a minute: what its later stages need is known then.",
    )  # fmt: skip
