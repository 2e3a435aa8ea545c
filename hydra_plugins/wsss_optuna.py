"""A sweeper of Hydra that asks Optuna which settings to try next.

Hydra looks for sweepers in this namespace only, and imports all of it at every start.
"""

from itertools import groupby
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class OptunaSweeper(Sweeper):
    """Runs trials by the launcher until a study has as many as asked for.

    The study, and the log of each trial, are below `hydra.sweep.dir`, where the same search finds
    them again.
    """

    config: DictConfig
    hydra_context: HydraContext
    launcher: Launcher

    def __init__(self, **settings: Any) -> None:
        """Take the settings of `configs/hydra/sweeper/optuna.yaml`."""
        self.settings = settings

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Make the launcher."""
        self.config, self.hydra_context = config, hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Search over the words of the command that have several values."""
        from wsss.cli.error_messages import readable_errors
        from wsss.settings.build import told_by_setting
        from wsss.stage_tools.locks import locked

        folder = Path(self.config.hydra.sweep.dir)
        with (
            readable_errors(resumes=True),
            told_by_setting(self.config, "hydra.sweeper"),
            locked(folder / "search"),
        ):
            self._search(folder, arguments)

    def _search(self, folder: Path, arguments: list[str]) -> None:
        from wsss.searching.objective import check_computed, note_search, reads_masks, value_of
        from wsss.searching.search_space import fixed_words, search_space, words_of
        from wsss.searching.study import SearchSettings, Study

        settings = SearchSettings(**self.settings)
        oracle = reads_masks(settings.objective)
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides(arguments)
        fixed = fixed_words(overrides)
        for one in overrides:
            if one.key_or_group == "stages" and isinstance(stages := one.value(), list):
                check_computed(settings.objective, stages)
        study = Study(folder, search_space(overrides), settings, oracle=oracle)
        for batch in study.batches():
            # A launcher counts its runs from one number on.
            for _, found in groupby(enumerate(batch), lambda pair: pair[1].number - pair[0]):
                trials = [trial for _, trial in found]
                words = [[*fixed, *words_of(trial.values)] for trial in trials]
                self.validate_batch_is_legal(words)
                results = self.launcher.launch(words, initial_job_idx=trials[0].number)
                for trial, result in zip(trials, results, strict=True):
                    numbers = numbers_of(result)
                    value = None
                    if numbers is not None:
                        value = value_of(settings.objective, numbers)
                    study.tell(trial.number, value)
            if (best := study.best()) is not None:
                note_search(folder, settings.objective, settings.direction, best)


def numbers_of(result: JobReturn) -> dict[str, float] | None:
    """What a run has returned; None of one that has failed."""
    return result.return_value or None
