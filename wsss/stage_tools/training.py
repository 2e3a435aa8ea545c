"""One Lightning training run: progress, curves, checkpoints, and going on after an interruption."""

import gc
import logging
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import CSVLogger
from torch.utils.data import DataLoader
from torchmetrics import Metric

from wsss.data.random_seeds import EpochSampler
from wsss.data.sample import Item
from wsss.errors import user_error
from wsss.machine.memory import out_of_memory
from wsss.machine.threads import one_thread
from wsss.stage_tools.averaged_weights import AveragedWeights
from wsss.stage_tools.batch_items import ids_of_batch
from wsss.stage_tools.callbacks import (
    LastNumbers,
    MeasureWaits,
    NoteSchedule,
    NumberEpochs,
    ReportEpochs,
    SeedEpoch,
    StopAtNan,
)
from wsss.stage_tools.checkpoints import (
    AtomicCheckpointIO,
    NumberedCheckpoints,
    completed_epochs,
    last_checkpoint,
)
from wsss.stage_tools.context import Context
from wsss.stage_tools.feature_batches import FeatureBatches
from wsss.stage_tools.loaders import smaller_batches
from wsss.stage_tools.progress import reporting
from wsss.stage_tools.trainer import make_trainer

log = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"
CURVES = "curves"

Loader = DataLoader[Any] | FeatureBatches


def fit(
    context: Context,
    module: pl.LightningModule,
    train: Loader,
    val: Loader | None,
    max_epochs: int,
    checkpoint_every_n_epochs: int = 1,
    items: Sequence[Item] = (),
    ema_decay: float = 0.0,
) -> Mapping[str, float]:
    """Train a module for `max_epochs`, from its last checkpoint if there is one.

    The last weights are kept, or their moving average, never a selection by a mask-level score. An
    epoch of many steps is trained in stretches, with a checkpoint after each (see
    `training_loader`).

    Where memory does not suffice for a batch, the training goes on from its last checkpoint with
    the gradients of two halves added up, of four quarters, and so on; batch norm then sees these
    parts.

    Args:
        context: folder, processes, trackers.
        module: what is trained, with its losses.
        train: this rank's share of the samples, shuffled.
        val: likewise, for the numbers of an epoch; None has none.
        max_epochs: passes over the training samples.
        checkpoint_every_n_epochs: how much a killed run loses at most; 1: a stretch of an epoch.
        items: the images of `train` by its sampler's index, which a message about a batch names.
        ema_decay: of an exponential moving average of the weights after every step, which is kept
            in place of the last ones; 0 averages nothing.

    Returns:
        The last value of everything that was logged, by its name without the task's prefix: of the
        last epoch, or of its last stretch.

    Raises:
        KeyboardInterrupt: the user pressed Ctrl-C; a whole checkpoint is left of every epoch.
        AskedToEnd: the process was asked to end; likewise.
        WsssError: the loss or a weight became NaN or infinite, no batch was trained on, or memory
            does not suffice.
    """
    untrained = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    parts = 1
    while True:
        try:
            return _fit(
                context, module, train, val, max_epochs, checkpoint_every_n_epochs, items,
                ema_decay, parts,
            )  # fmt: skip
        except (RuntimeError, MemoryError) as error:  # Torch's errors of memory are RuntimeErrors.
            if not out_of_memory(error):
                raise
            reason = str(error).splitlines()[0]
        # Here the error is gone, and with it what its traceback held in memory.
        parts *= 2
        _check_parts(context, train, parts, reason)
        log.warning(
            "%s: memory ran out; going on with gradients of %d parts of a batch added up",
            context.stage, parts,
        )  # fmt: skip
        context.measured.halvings += 1
        module.zero_grad(set_to_none=True)
        module.load_state_dict(untrained)
        for part in module.modules():
            if isinstance(part, Metric):
                part.reset()  # Of what was seen since the checkpoint.
        gc.collect()  # The trainer that failed refers to itself.
        if context.fabric.device.type == "cuda":
            torch.cuda.empty_cache()


def _check_parts(context: Context, train: Loader, parts: int, reason: str) -> None:
    """Make sure that a batch can be trained on in parts.

    Raises:
        WsssError: it is too small, or other processes would not do likewise.
    """
    smallest = 2  # Of a single image, batch norm has nothing to normalise over.
    whole = train.batch_size or 0
    # Smaller batches of features that are in memory already would need as much of it.
    alone = context.fabric.world_size == 1 and isinstance(train, DataLoader)
    if alone and whole % parts == 0 and whole >= smallest * parts:
        return
    raise user_error(
        f"{context.stage}.batch_size",
        f"memory ran out on {context.fabric.device} ({reason})",
        "memory for a step of the training",
        f"Lower {context.stage}.batch_size or {context.stage}.augmentation.crop_px; on a GPU "
        "`trainer.precision=bf16-mixed` takes less memory, too.",
    )


def _fit(
    context: Context,
    module: pl.LightningModule,
    train: Loader,
    val: Loader | None,
    max_epochs: int,
    checkpoint_every_n_epochs: int,
    items: Sequence[Item],
    ema_decay: float,
    parts: int,
) -> Mapping[str, float]:
    """Train with every batch in `parts`, whose gradients are added up."""
    folder = context.folder / CHECKPOINTS
    sampler = train.sampler
    stretches = sampler.stretches if isinstance(sampler, EpochSampler) else 1
    every = 1 if checkpoint_every_n_epochs == 1 else checkpoint_every_n_epochs * stretches
    last = LastNumbers()
    callbacks: list[Callback] = [
        SeedEpoch(context.seed),
        StopAtNan(context.stage, lambda *batch: ids_of_batch(train, items, *batch), stretches),
        MeasureWaits(context.measured),
        last,
        NumberedCheckpoints(folder, every),
    ]
    if ema_decay:
        callbacks.append(AveragedWeights(ema_decay))
    curves = CSVLogger(context.folder, name=CURVES)
    settings = dict(context.trainer)
    visible = context.is_main and settings.pop("enable_progress_bar", True)
    if parts > 1:
        assert isinstance(train, DataLoader)  # See `_check_parts`.
        steps = settings.get("limit_train_batches", len(train))
        settings["limit_train_batches"] = parts * steps if isinstance(steps, int) else steps
        settings["accumulate_grad_batches"] = parts * settings.get("accumulate_grad_batches", 1)
        train = smaller_batches(train, parts)
    sample = train.sample if isinstance(train, FeatureBatches) else "image"
    callbacks.append(NoteSchedule(context.stage, train.batch_size or 1, context.measured, sample))
    if stretches > 1:
        callbacks.insert(0, NumberEpochs(stretches))
        validated = settings.get("check_val_every_n_epoch", 1)
        settings["check_val_every_n_epoch"] = validated and validated * stretches
    trainer = make_trainer(
        settings,
        max_epochs=max_epochs * stretches,
        callbacks=callbacks,
        enable_progress_bar=False,  # See `ReportEpochs`.
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
    # Of one process for all, which would not see another remove a damaged one.
    checkpoint = context.fabric.broadcast(last_checkpoint(folder) if context.is_main else None)
    completed = completed_epochs(checkpoint)
    if context.is_main and 0 < completed < max_epochs * stretches:
        epoch = completed // stretches + 1
        log.info("%s goes on from epoch %d of %d", context.stage, epoch, max_epochs)
    if checkpoint is not None and isinstance(sampler, EpochSampler):
        # Lightning starts the first epoch's iterator before it tells the sampler the epoch.
        sampler.set_epoch(completed)
    alone = one_thread() if isinstance(train, FeatureBatches) else nullcontext()
    done = completed / stretches
    epochs = reporting(max_epochs, context.stage, visible, unit="epoch", done=done)
    with alone, _interrupts_passed_on(), epochs as report:
        trainer.callbacks.insert(0, ReportEpochs(report, stretches))  # type: ignore[attr-defined]
        trainer.fit(module, train, val, ckpt_path=checkpoint, weights_only=True)
    if "train_loss" not in last.numbers:
        raise user_error(
            context.stage, "no batch was trained on", "one batch an epoch, at least",
            "See which setting of `trainer` leaves none, such as limit_train_batches.",
        )  # fmt: skip
    if max_epochs % checkpoint_every_n_epochs:
        trainer.save_checkpoint(folder / f"epoch={max_epochs * stretches - 1:04d}.ckpt")
    return last.numbers


@contextmanager
def _interrupts_passed_on() -> Iterator[None]:
    """Let Ctrl-C be a KeyboardInterrupt, for Lightning leaves with status 1, deaf to another."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as left:
        if not isinstance(left.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from None
