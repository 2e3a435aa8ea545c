"""A study of Optuna on disk: trials to run, and their results; killed at any point it goes on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from wsss.argument_checks import check_choice, check_whole

JOURNAL = "optuna.journal"
STUDY, ORACLE_STUDY = "search", "oracle_search"
"""The one study in a journal, for Optuna's own programs: without ground truth, and by it."""
TOLD = (TrialState.COMPLETE, TrialState.FAIL)


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """Those of `configs/hydra/sweeper/optuna.yaml`."""

    objective: str
    direction: Literal["maximize", "minimize"] = "maximize"
    n_trials: int = 20
    n_jobs: int = 1
    sampler: Literal["tpe", "random"] = "tpe"
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole(1, n_trials=self.n_trials, n_jobs=self.n_jobs)
        check_whole(0, seed=self.seed)
        check_choice(("maximize", "minimize"), direction=self.direction)
        check_choice(("tpe", "random"), sampler=self.sampler)


@dataclass(frozen=True, slots=True)
class Trial:
    """Values to try."""

    number: int
    values: Mapping[str, Any]


class Study:
    """The trials of a search, in a journal; one process at a time holds it.

    What is tried next depends on the results so far and on the number of the trial alone, so that a
    search that was killed goes on as it would have done.
    """

    def __init__(
        self,
        folder: Path,
        space: Mapping[str, BaseDistribution],
        settings: SearchSettings,
        *,
        oracle: bool = False,
    ) -> None:
        """Open the study of a folder, or begin it.

        Args:
            folder: of the search.
            space: distribution of every setting.
            settings: of the search.
            oracle: whether its objective is computed with ground truth.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        folder.mkdir(parents=True, exist_ok=True)
        self._space, self._settings = dict(space), settings
        self._study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(folder / JOURNAL))),
            study_name=ORACLE_STUDY if oracle else STUDY,
            direction=settings.direction,
            load_if_exists=True,
        )

    def batches(self) -> Iterator[list[Trial]]:
        """Trials to be run at once, first those that a killed search has left; tell of each."""
        while batch := self._next_batch():
            yield [Trial(one.number, one.params) for one in batch]

    def tell(self, number: int, value: float | None) -> None:
        """Note the objective of a trial; None of one that has failed."""
        state = TrialState.COMPLETE if value is not None else TrialState.FAIL
        self._study.tell(number, value, state)

    def best(self) -> tuple[int, float] | None:
        """Number and objective of the best trial; None where none was completed."""
        done = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if not done:
            return None
        best = self._study.best_trial
        return best.number, float(best.values[0])

    def _next_batch(self) -> list[FrozenTrial]:
        left = self._left()
        told = [
            one for one in self._study.get_trials(deepcopy=False, states=TOLD) if self._whole(one)
        ]
        asked, at_once = len(told) + len(left), self._settings.n_jobs
        # A batch that was being asked for is filled up; one that was being told is told to its end.
        more = -asked % at_once if left else at_once
        for number in range(asked, min(asked + more, self._settings.n_trials)):
            self._study.sampler = self._sampler(number)
            self._study.ask(self._space)
        return self._left()

    def _left(self) -> list[FrozenTrial]:
        """Trials that were asked for and not told; those without all values are given up."""
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        for one in running:
            if not self._whole(one):
                self._study.tell(one.number, state=TrialState.FAIL)
        return [one for one in running if self._whole(one)]

    def _whole(self, trial: FrozenTrial) -> bool:
        return trial.params.keys() == self._space.keys()

    def _sampler(self, number: int) -> BaseSampler:
        seed = (self._settings.seed * 1_000_003 + number) % 2**32
        if self._settings.sampler == "random":
            return RandomSampler(seed=seed)
        return TPESampler(seed=seed)
