"""Checkpoints of a training run: written whole, and found again."""

import logging
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from lightning_fabric.plugins import TorchCheckpointIO

from wsss.artifacts import atomic

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


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint in a folder; None where there is none."""
    for path in sorted(folder.glob("epoch=*.ckpt"), reverse=True):
        if is_zipfile(path):
            return path
        log.warning("%s is damaged and left aside", path)
    return None


def completed_epochs(checkpoint: Path | None) -> int:
    """Epochs completed when a checkpoint was written: 8 for `epoch=0007.ckpt`, 0 without one."""
    return int(checkpoint.stem.partition("=")[2]) + 1 if checkpoint else 0
