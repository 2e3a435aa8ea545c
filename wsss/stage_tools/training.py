"""One Lightning training run: progress, curves, checkpoints, and going on after an interruption."""

import logging
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.callbacks import RichProgressBar as ProgressBar
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader

from wsss.argument_checks import MOST, check_at_least, check_whole
from wsss.data.random_seeds import EpochSampler
from wsss.errors import InvalidOptionError, user_error
from wsss.stage_tools.callbacks import LastNumbers, SeedEpoch, StopAtNan
from wsss.stage_tools.checkpoints import AtomicCheckpointIO, completed_epochs, last_checkpoint
from wsss.stage_tools.context import Context

log = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"
CURVES = "curves"


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
        KeyboardInterrupt: the user pressed Ctrl-C; a whole checkpoint is left of every epoch.
        WsssError: the loss or a weight became NaN or infinite, or no batch was trained on.
    """
    folder = context.folder / CHECKPOINTS
    last = LastNumbers()
    callbacks: list[Callback] = [
        SeedEpoch(context.seed),
        StopAtNan(context.stage),
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
    trainer = _trainer(
        context,
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
    completed = completed_epochs(checkpoint)
    if context.is_main and 0 < completed < max_epochs:
        log.info("%s goes on from epoch %d of %d", context.stage, completed + 1, max_epochs)
    if checkpoint is not None and isinstance(train.sampler, EpochSampler):
        # Lightning starts the first epoch's iterator before it tells the sampler the epoch.
        train.sampler.set_epoch(completed)
    with _interrupts_passed_on():
        trainer.fit(module, train, val, ckpt_path=checkpoint, weights_only=True)
    if "train_loss" not in last.numbers:
        raise user_error(
            context.stage, "no batch was trained on", "one batch an epoch, at least",
            "See which setting of `trainer` leaves none, such as limit_train_batches.",
        )  # fmt: skip
    if max_epochs % checkpoint_every_n_epochs:
        trainer.save_checkpoint(folder / f"epoch={max_epochs - 1:04d}.ckpt")
    return last.numbers


@contextmanager
def _interrupts_passed_on() -> Iterator[None]:
    """Let Ctrl-C be a KeyboardInterrupt: Lightning leaves with status 1, deaf to another."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as left:
        if not isinstance(left.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from None


def check_schedule(
    context: Context,
    max_epochs: int,
    batch_size: int,
    lr: float,
    checkpoint_every_n_epochs: int = 1,
    **lr_factors: float,
) -> None:
    """Find out before anything is computed whether a stage's training can be run.

    Args:
        context: of the stage.
        max_epochs: of the training.
        batch_size: over all processes.
        lr: learning rate.
        checkpoint_every_n_epochs: how much a killed run loses at most.
        lr_factors: of the layers that learn faster, by the names of their settings.

    Raises:
        InvalidOptionError: a learning rate is negative, or more than float32 can hold.
        WsssError: nothing to train, a batch that cannot be shared out evenly, or a setting that
            Lightning's trainer does not know or that a stage sets itself.
    """
    for name, value in (("max_epochs", max_epochs), ("batch_size", batch_size)):
        if value < 1:
            raise user_error(f"{context.stage}.{name}", str(value), "1 or more", "Correct it.")
    check_whole(1, checkpoint_every_n_epochs=checkpoint_every_n_epochs)
    check_at_least(0, lr=lr, **lr_factors)
    for name, factor in lr_factors.items():
        if factor * lr > MOST:
            raise InvalidOptionError(name, factor, f"a number that times lr is {MOST:g} at most")
    ranks = context.fabric.world_size
    if batch_size % ranks:
        sizes = {ranks * max(1, batch_size // ranks), ranks * (batch_size // ranks + 1)}
        counts = [str(n) for n in range(1, batch_size + 1) if batch_size % n == 0]
        raise user_error(
            f"{context.stage}.batch_size",
            f"a batch of {batch_size} on {ranks} processes",
            f"a multiple of {ranks}: a batch is shared out evenly over all processes",
            f"Set {context.stage}.batch_size to {' or '.join(map(str, sorted(sizes)))}, or use "
            f"{', '.join(counts)} processes (trainer.devices × trainer.num_nodes).",
        )
    _trainer(context, max_epochs=max_epochs, logger=False, enable_checkpointing=False)


def _trainer(context: Context, **settings: Any) -> pl.Trainer:
    """A trainer with the run's settings and those of a stage.

    Raises:
        WsssError: a setting of the run is unknown, invalid, or set by the stages.
    """
    try:
        return pl.Trainer(**context.trainer, **settings)
    except (MisconfigurationException, TypeError, ValueError, ImportError) as error:
        raise user_error(
            "trainer",
            str(error).splitlines()[0],
            "settings of Lightning's Trainer that the stages do not set themselves",
            "Correct or remove the setting.",
        ) from error
