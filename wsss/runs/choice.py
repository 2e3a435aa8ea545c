"""Which stages nothing needs any more."""

from collections.abc import Sequence
from dataclasses import dataclass

from wsss.runs.catalogue import Catalogue, Key, StageFolder

DAY_S = 24 * 3600
NEEDLESS = "no result that is kept came from it"


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

    Kept are results; unfinished stages that were written to lately, since the same command goes on
    with them; all that these came from; and the audits of what is kept.

    Args:
        found: all stages.
        keep: the results to keep.
        unfinished_days: unfinished stages are kept that were written to in so many days.
        now_s: seconds since 1970.
    """
    days = {key: (now_s - one.changed_s) / DAY_S for key, one in found.folders.items()}
    going_on = [
        key
        for key, one in found.folders.items()
        if not one.finished and days[key] < unfinished_days
    ]
    kept = found.origins([*keep, *going_on])
    kept |= {
        key
        for key, one in found.folders.items()
        if one.is_audit and one.finished and one.inputs <= kept
    }
    removed = []
    for key, one in reversed([*found.folders.items()]):
        if key not in kept:
            needless = "no run that is kept is audited by it" if one.is_audit else NEEDLESS
            unfinished = f"unfinished, for {days[key]:.0f} days"
            removed.append((one, needless if one.finished else unfinished))
    return Choice(tuple(removed))
