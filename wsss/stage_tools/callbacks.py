"""Callbacks of a training run: seeds, last numbers, stop at NaN, progress, waits."""

import logging
import time
from collections.abc import Callable
from typing import Any, NoReturn

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from wsss.data.random_seeds import sample_seed
from wsss.errors import user_error
from wsss.stage_tools.batch_items import of_all_ranks
from wsss.stage_tools.measured import IMAGES, NETWORK, Measured
from wsss.stage_tools.progress import Report
from wsss.wording import plural, readable

log = logging.getLogger(__name__)

EPOCH = "epoch"
"""What Lightning's loggers call the number of an epoch."""


class SeedEpoch(Callback):
    """Reseeds torch at the start of every epoch, or of every stretch of a long one.

    Random numbers then depend on it alone: a resumed run ends with the same bytes as an
    uninterrupted one.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Seed by run, epoch or stretch, and rank."""
        torch.manual_seed(sample_seed(self.seed, trainer.current_epoch, trainer.global_rank))


class LastNumbers(Callback):
    """Keeps the last epoch's logged numbers, also in checkpoints.

    A run resumed from its final checkpoint trains nothing, but returns these numbers.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, float] = {}

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the numbers of the epoch; checkpoints are written after this."""
        metrics = trainer.callback_metrics
        self.numbers = {
            key.partition("/")[2]: float(value) for key, value in metrics.items() if key != EPOCH
        }

    def state_dict(self) -> dict[str, Any]:
        """The part of a checkpoint."""
        return {"numbers": self.numbers}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the numbers of a checkpoint."""
        self.numbers = state_dict["numbers"]


class StopAtNan(Callback):
    """Ends a training run, on all ranks at once, when a loss or a weight is no finite number."""

    def __init__(
        self, stage: str, ids_of_batch: Callable[[int, int], list[str]], stretches: int = 1
    ) -> None:
        """Watch a stage.

        Args:
            stage: its name.
            ids_of_batch: from stretch and its batch, counted from 0, to the ids of this rank's
                images.
            stretches: of an epoch.
        """
        self.stage = stage
        self.ids_of_batch = ids_of_batch
        self.stretches = stretches

    def on_before_backward(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor
    ) -> None:
        """Check the loss of every batch, before its gradients.

        Raises:
            WsssError: it is NaN or infinite.
        """
        good = bool(loss.isfinite())
        if not trainer.strategy.reduce_boolean_decision(good):
            done = trainer.current_epoch % self.stretches * int(trainer.num_training_batches)
            batch = f"batch {done + trainer.fit_loop.batch_idx + 1}"
            self._stop(trainer, batch, "the training loss", good)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Check the weights before they are written to a checkpoint.

        Raises:
            WsssError: one is NaN or infinite.
        """
        state = pl_module.state_dict().items()
        broken = [name for name, tensor in state if not tensor.isfinite().all()]
        if not trainer.strategy.reduce_boolean_decision(not broken):
            what = f"after it, the weight {', '.join(broken[:1])}"
            self._stop(trainer, "the last batch", what, not broken)

    def _stop(self, trainer: pl.Trainer, batch: str, what: str, good: bool) -> NoReturn:
        """Name the batch and its images; on several ranks, those of the ranks that are not good."""
        own = self.ids_of_batch(trainer.current_epoch, trainer.fit_loop.batch_idx)
        ids = of_all_ranks([] if good else own, trainer.world_size)
        images = f" (images {', '.join(map(readable, ids))})" if ids else ""
        raise user_error(
            f"{self.stage}, epoch {trainer.current_epoch // self.stretches + 1}, {batch}{images}",
            f"{what} is NaN or infinite",
            "finite numbers",
            f"Lower {self.stage}.lr, or train in 32 bit: `trainer.precision=32-true`.",
        )


class NoteSchedule(Callback):
    """Tells and keeps what a step is: samples over all processes, and learning rates."""

    def __init__(
        self, stage: str, own_batch: int, measured: Measured, sample: str = "image"
    ) -> None:
        """Note the schedule of a stage.

        Args:
            stage: its name.
            own_batch: samples that a process takes at once.
            measured: where the schedule is kept.
            sample: what one is, in a word.
        """
        self._stage = stage
        self._own_batch = own_batch
        self._measured = measured
        self._sample = sample

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Optimisers are made; a schedule keeps the rate of its first step beside the present."""
        groups = [group for one in trainer.optimizers for group in one.param_groups]
        rates = list(dict.fromkeys(group.get("initial_lr", group["lr"]) for group in groups))
        processes, parts = trainer.world_size, trainer.accumulate_grad_batches
        samples = self._own_batch * processes * parts
        self._measured.schedule = {
            f"{self._sample}s_per_step": samples,
            "processes": processes,
            "parts": parts,
            "learning_rates": rates,
            "steps": int(trainer.estimated_stepping_batches),
        }
        factors = [plural(processes, "process", "processes")] * (processes > 1)
        factors += [plural(parts, "part")] * (parts > 1)
        shared = f" ({' × '.join([*factors, str(self._own_batch)])})" if factors else ""
        shown = " and ".join(f"{rate:.3g}" for rate in rates)
        if trainer.is_global_zero:
            log.info(
                "%s: steps of %s%s at learning rate %s",
                self._stage, plural(samples, self._sample), shared, shown,
            )  # fmt: skip


class NumberEpochs(Callback):
    """Lets loggers tell the epoch where Lightning counts its stretches."""

    def __init__(self, stretches: int) -> None:
        self._stretches = stretches

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """With the numbers of a stretch."""
        pl_module.log(EPOCH, float(trainer.current_epoch // self._stretches))

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """With those of a validation."""
        pl_module.log(EPOCH, float(trainer.current_epoch // self._stretches))


class ReportEpochs(Callback):
    """Tells the epochs that are done, in fractions, and the last logged numbers."""

    def __init__(self, report: Report, stretches: int = 1) -> None:
        self._report = report
        self._stretches = stretches
        self._numbers = ""

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Tell the part of the epoch."""
        done = (trainer.fit_loop.batch_idx + 1) / trainer.num_training_batches
        # Only its end is a whole epoch, which may come after a validation.
        self._report((trainer.current_epoch + min(done, 0.999)) / self._stretches, self._numbers)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell the epoch with its numbers."""
        numbers = {key: v for key, v in trainer.callback_metrics.items() if key != EPOCH}
        self._numbers = ", ".join(
            f"{key.partition('/')[2]} {float(v):.3g}" for key, v in numbers.items()
        )
        self._report((trainer.current_epoch + 1) / self._stretches, self._numbers)


class MeasureWaits(Callback):
    """Measures how long a training waits for images, and how long its steps take.

    A step on a GPU is waited for when `StopAtNan` looks at the next one's loss.
    """

    def __init__(self, measured: Measured) -> None:
        self._measured = measured
        self._since = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start: neither validation nor checkpoints are waits for images."""
        self._since = time.perf_counter()

    def on_train_batch_start(self, *_: Any) -> None:
        """The batch has come."""
        self._add(IMAGES)

    def on_train_batch_end(self, *_: Any) -> None:
        """The step is done."""
        self._add(NETWORK)

    def _add(self, what: str) -> None:
        now = time.perf_counter()
        self._measured.seconds[what] += now - self._since
        self._since = now
