"""Runs that differ by their seed alone, as one group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wsss.comparing.compared_run import ComparedRun
from wsss.comparing.differences import differing_settings, flat, shared_settings

SEED = "seed"


@dataclass(frozen=True, slots=True)
class Group:
    """Runs of the same settings, in the order of their seeds."""

    runs: tuple[ComparedRun, ...]
    seeds: tuple[str, ...]
    settings: str
    """What sets them apart from other groups, one setting a line; empty where nothing does."""

    @property
    def name(self) -> str:
        """Names of its runs."""
        return ", ".join(run.label for run in self.runs)

    @property
    def label(self) -> str:
        """Its name, or of several runs what sets them apart: `cam=gradcam (3 seeds)`."""
        if len(self.runs) == 1 or not self.settings:
            return self.name
        mark = next((run.mark for run in self.runs if run.mark), "")
        return f"{', '.join(self.settings.splitlines())} ({len(self.seeds)} seeds){mark}"


def grouped(runs: Sequence[ComparedRun]) -> list[Group]:
    """Runs with equal settings but for the seed together, in the order of the first of each.

    Two runs with equal settings and equal seeds are the same training, and the second is left out.
    """
    by_settings: dict[tuple[tuple[str, str], ...], dict[str, ComparedRun]] = {}
    by_words = all(run.words is not None for run in runs)
    for run in runs:
        settings = dict((run.words or {}) if by_words else _settings(run))
        settings.pop(SEED, None)
        own = by_settings.setdefault(tuple(sorted(settings.items())), {})
        own.setdefault(_seed(run), run)
    differing = len(differing_settings(runs)) > 0
    found = []
    for by_seed in by_settings.values():
        seeds = sorted(by_seed, key=lambda seed: (len(seed), seed))
        members = tuple(by_seed[seed] for seed in seeds)
        shared = shared_settings(runs, [run.name for run in members]) if differing else ""
        lines = [line for line in shared.splitlines() if not line.startswith(f"{SEED}=")]
        found.append(Group(members, tuple(seeds), "\n".join(lines)))
    return found


def _settings(run: ComparedRun) -> Mapping[str, str]:
    """What the stages of a run were given, by dotted names."""
    return {
        f"{stage}.{key}": value
        for stage, manifest in run.manifests.items()
        for key, value in flat(manifest.config).items()
    }


def _seed(run: ComparedRun) -> str:
    """The seed of a run: that of its stages."""
    seeds = [one.basis[SEED] for one in run.manifests.values() if SEED in one.basis]
    return str(seeds[-1]) if seeds else (run.words or {}).get(SEED, "")
