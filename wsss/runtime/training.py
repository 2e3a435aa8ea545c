"""One Lightning training run: progress, curves, checkpoints, and going on after an interruption."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.callbacks import RichProgressBar as ProgressBar
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader, Dataset

from wsss.artifacts import atomic
from wsss.data.sampling import EpochSampler, epoch_sampler, sample_seed
from wsss.errors import user_error
from wsss.runtime.context import Context

CHECKPOINTS = "checkpoints"
CURVES = "curves"

log = logging.getLogger(__name__)


class SeedEpoch(Callback):
    """Reseeds torch at the start of every epoch.

    What an epoch draws then depends on its number alone, and a run that was killed and goes on from
    the last epoch's checkpoint ends with the bytes of one that was not.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Seed by run, epoch and rank."""
        torch.manual_seed(sample_seed(self.seed, trainer.current_epoch, trainer.global_rank))


class LastNumbers(Callback):
    """Keeps what the last epoch logged, in the checkpoint, too.

    A run that was killed behind its last checkpoint has nothing left to train, and still has to
    tell its numbers.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, float] = {}

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the numbers of the epoch; checkpoints are written after this."""
        metrics = trainer.callback_metrics
        self.numbers = {key.partition("/")[2]: float(value) for key, value in metrics.items()}

    def state_dict(self) -> dict[str, Any]:
        """What goes into a checkpoint."""
        return {"numbers": self.numbers}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what was in a checkpoint."""
        self.numbers = state_dict["numbers"]


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints as every other file is written: whole, or not at all.

    Lightning's own way copies from the system's temporary folder where that is another disk.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint beside its final place and rename it."""
        with atomic(Path(path)) as temporary:
            torch.save(checkpoint, temporary)


def fit(
    context: Context,
    module: pl.LightningModule,
    train: DataLoader[Any],
    val: DataLoader[Any] | None,
    max_epochs: int,
    checkpoint_every_n_epochs: int = 1,
) -> Mapping[str, float]:
    """Train a module for `max_epochs`, from its last checkpoint if there is one.

    The last weights are kept, never a selection by a mask-level score.

    Returns:
        The last value of everything that was logged, by its name without the task's prefix.

    Raises:
        WsssError: the loss became NaN or infinite.
    """
    folder = context.folder / CHECKPOINTS
    last = LastNumbers()
    callbacks: list[Callback] = [
        SeedEpoch(context.seed),
        last,
        ModelCheckpoint(
            folder,
            filename="{epoch:04d}",
            every_n_epochs=checkpoint_every_n_epochs,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        ),
        ProgressBar(),
    ]
    curves = CSVLogger(context.folder, name=CURVES)
    trainer = pl.Trainer(
        **context.trainer,
        max_epochs=max_epochs,
        callbacks=callbacks,
        logger=[curves, *context.loggers],
        default_root_dir=context.folder,
        plugins=[AtomicCheckpointIO()],
        # Torch has no synchronised BatchNorm on a CPU, where several processes are for tests.
        sync_batchnorm=context.fabric.world_size > 1 and context.fabric.device.type == "cuda",
        use_distributed_sampler=False,  # EpochSampler shares out the samples itself.
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        enable_model_summary=False,
    )
    checkpoint = last_checkpoint(folder)
    if checkpoint is not None and isinstance(train.sampler, EpochSampler):
        # Lightning starts the first epoch's iterator before it tells the sampler the epoch.
        train.sampler.set_epoch(completed_epochs(checkpoint))
    trainer.fit(module, train, val, ckpt_path=checkpoint, weights_only=True)
    if max_epochs % checkpoint_every_n_epochs:
        trainer.save_checkpoint(folder / f"epoch={max_epochs - 1:04d}.ckpt")
    loss = last.numbers["train_loss"]
    if not torch.isfinite(torch.tensor(loss)):
        raise user_error(
            context.folder, f"the training loss is {loss}", "a finite loss",
            "Lower this stage's learning rate, or train in 32 bit: `trainer.precision=32-true`; "
            f"remove {folder} to train from the start.",
        )  # fmt: skip
    return last.numbers


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


def check_schedule(context: Context, stage: str, max_epochs: int, batch_size: int) -> None:
    """Find out before anything is computed whether a training can be run.

    Raises:
        WsssError: nothing to train, or a batch that cannot be shared out evenly.
    """
    for name, value in (("max_epochs", max_epochs), ("batch_size", batch_size)):
        if value < 1:
            raise user_error(f"{stage}.{name}", str(value), "1 or more", "Correct the value.")
    rank_batch_size(context, batch_size)


def rank_batch_size(context: Context, batch_size: int) -> int:
    """The share of a batch of `batch_size` that falls to one rank.

    Raises:
        WsssError: the batch cannot be shared out evenly.
    """
    ranks = context.fabric.world_size
    if batch_size % ranks:
        raise user_error(
            "batch_size",
            f"a batch of {batch_size} on {ranks} processes",
            "a batch size divisible by the number of processes: it counts all of them together",
            f"Set it to {ranks * max(1, round(batch_size / ranks))}, or change trainer.devices.",
        )
    return batch_size // ranks


def training_loader(
    context: Context, dataset: Dataset[Any], batch_size: int, workers: int | None = None
) -> DataLoader[Any]:
    """A loader of this rank's share of shuffled samples; `batch_size` counts all ranks together."""
    fabric = context.fabric
    own_batch = rank_batch_size(context, batch_size)
    sampler = epoch_sampler(dataset, fabric.global_rank, fabric.world_size, context.seed)
    workers = context.workers if workers is None else workers
    return DataLoader(
        dataset,
        batch_size=own_batch,
        sampler=sampler,
        num_workers=workers,
        persistent_workers=workers > 0,
        drop_last=len(sampler) >= own_batch,  # A last batch of one would upset BatchNorm.
        pin_memory=context.fabric.device.type == "cuda",
        # Each iterator draws a number: from torch's own, the next epoch's dropout would be another
        # without workers, where every epoch has a new iterator.
        generator=torch.Generator(),
    )
