"""Records of runs, in the folders of their logs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from wsss.artifacts.run_record import RunRecord
from wsss.cli.error_messages import rank
from wsss.files import StorageError

if TYPE_CHECKING:
    from wsss.pipeline.execution import Outcome


class OpenRecord:
    """The record of a run that goes on; the first process writes it for all."""

    def __init__(self, cfg: DictConfig) -> None:
        hydra = HydraConfig.get()
        self._folder = Path(hydra.runtime.output_dir)
        self._record = RunRecord(
            words=[*hydra.overrides.task],
            data=OmegaConf.to_container(cfg.data, resolve=True),  # type: ignore[arg-type]
        )
        self.write()

    def write(self) -> None:
        """Write what is known by now."""
        if rank() == 0:
            self._record.write(self._folder)

    def finish(self, outcomes: "Sequence[Outcome]") -> None:
        """Note the stages of a run that has finished."""
        self._record.note_stages(self._folder, {one.stage: one.folder for one in outcomes})
        self._record.status = "finished"
        self.write()

    def fail(self, problem: str) -> None:
        """Note why a run has failed."""
        self._record.status, self._record.problem = "failed", problem
        self.write()


@contextmanager
def recorded(cfg: DictConfig) -> Iterator[OpenRecord]:
    """Keep the record of the run in the block, also where it fails."""
    record = OpenRecord(cfg)
    try:
        yield record
    except Exception as error:
        with suppress(StorageError):  # A full disk is told already, by the file that met it first.
            record.fail(str(error) or type(error).__name__)
        raise
