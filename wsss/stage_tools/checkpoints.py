"""Checkpoints of a training run: written whole, and found again."""

import logging
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor

from wsss.artifacts import atomic
from wsss.files import DamagedFileError, intact

log = logging.getLogger(__name__)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints as every other file is written: whole, or not at all.

    Lightning's own way copies from the system's temporary folder where that is another disk.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint beside its final place and rename it."""
        # To a path torch writes itself, and its errors do not say why.
        with atomic(Path(path)) as temporary, temporary.open("wb") as stream:
            torch.save(checkpoint, stream)


class NumberedCheckpoints(ModelCheckpoint):
    """Keeps the last checkpoint, named after Lightning's number of the epoch.

    That counts stretches of long epochs, and is not the number that loggers are told.
    """

    def __init__(self, folder: Path, every: int) -> None:
        """Write a checkpoint into `folder` after `every` such epochs."""
        super().__init__(
            folder,
            filename="{epoch:04d}",
            every_n_epochs=every,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )

    def _monitor_candidates(self, trainer: pl.Trainer) -> dict[str, Tensor]:
        return {
            **super()._monitor_candidates(trainer),
            "epoch": torch.tensor(trainer.current_epoch),
        }


def last_checkpoint(folder: Path) -> Path | None:
    """The newest intact checkpoint in a folder; None where there is none.

    Damaged ones are removed, for they hold nothing that training from an earlier one does not give
    again. Torch itself compares no checksums, and would go on with a wrong weight.
    """
    for path in sorted(folder.glob("epoch=*.ckpt"), reverse=True):
        try:
            _check(path)
        except DamagedFileError as error:
            log.warning(
                "%s: %s. It is removed; its epochs are trained again", path, error.problems[0].came
            )
            path.unlink()
        else:
            return path
    return None


def _check(path: Path) -> None:
    """Compare the checksums that torch writes into a checkpoint, a ZIP archive.

    Raises:
        DamagedFileError: they are others, or the file is not whole.
    """
    with intact(path), ZipFile(path) as archive:
        if (damaged := archive.testzip()) is not None:
            raise BadZipFile(f"another checksum of {damaged}")


def completed_epochs(checkpoint: Path | None) -> int:
    """Epochs completed when a checkpoint was written: 8 for `epoch=0007.ckpt`, 0 without one."""
    return int(checkpoint.stem.partition("=")[2]) + 1 if checkpoint else 0
