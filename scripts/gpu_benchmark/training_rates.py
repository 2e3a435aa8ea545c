"""Images a second of the segmenter's training: the stage's, and a bare loop's."""

import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import torch

from gpu_benchmark.parts import Found, table
from gpu_benchmark.run_settings import BF16, PRECISIONS, TF32, Composed
from gpu_benchmark.waiting import interleaved, middle, seconds_of, synchronise
from wsss.data.datasets import MaskedBatch
from wsss.losses import CrossEntropy, mean_over_labelled
from wsss.machine.devices import memory_format
from wsss.machine.numerics import numerics_kept, set_numerics
from wsss.stage_tools.training import fit
from wsss.tasks import SegmentationTask
from wsss.tasks.schedule import parameter_groups, poly_schedule

LIGHTNING, BARE = "stage", "bare loop"


class BatchesOnDevice:
    """The same random images and masks in every step, on the device."""

    batch_sampler = None

    def __init__(self, batch: MaskedBatch, steps: int) -> None:
        self.batch = batch
        self.steps = steps
        self.batch_size = len(batch["images"])
        self.sampler = range(steps * self.batch_size)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[MaskedBatch]:
        for _ in range(self.steps):
            yield self.batch


class TimedTask(SegmentationTask):
    """The stage's task, which notes when its first step begins and its last is done."""

    started_s = ended_s = 0.0

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Note the time before the first step."""
        if batch_idx == 0:
            synchronise(self.device)
            self.started_s = time.perf_counter()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Note the time after the last step, which the device is waited for."""
        if batch_idx + 1 == self.trainer.num_training_batches:
            synchronise(self.device)
            self.ended_s = time.perf_counter()


def training_part(
    found: Found, composed: Composed, device: torch.device, folder: Path, steps: int, rounds: int
) -> None:
    """Train the segmenter through the stage's trainer and by a bare loop, in turns.

    Both take the same network, optimiser, schedule and images, which are on the device already. The
    stage's seconds are those from its first to its last step, without set-up and checkpoint; its
    metric and the checks of each loss are part of them.

    Args:
        found: takes medians of images a second by precision.
        composed: the run's settings.
        device: where it computes.
        folder: takes checkpoints.
        steps: of a round.
        rounds: besides one that warms up.
    """
    settings = composed.stage("segment").keywords
    batch = random_batch(composed, settings["batch_size"], settings["augmentation"].crop_px, device)
    calls: dict[str, Callable[[], float]] = {}
    for precision in PRECISIONS:
        calls[f"{LIGHTNING}, {precision}"] = partial(
            stage_seconds, composed, precision, batch, folder, steps
        )
        calls[f"{BARE}, {precision}"] = partial(
            bare_seconds, composed, precision, batch, device, steps
        )
    with numerics_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seconds = interleaved(calls, rounds)
    images = steps * len(batch["images"])
    rates = {name: [images / one for one in several] for name, several in seconds.items()}
    medians = {name: middle(several) for name, several in rates.items()}
    found.numbers |= {
        "batch_size": len(batch["images"]),
        "crop_px": batch["images"].shape[-1],
        "steps": steps,
        "images_per_s": medians,
        "rounds": rates,
    }
    rows = []
    for precision in PRECISIONS:
        ours, bare = (medians[f"{kind}, {precision}"] or 0.0 for kind in (LIGHTNING, BARE))
        found.numbers.setdefault("stage_of_bare", {})[precision] = ours / bare
        rows.append([precision, f"{ours:.1f}", f"{bare:.1f}", f"{ours / bare:.2f}"])
    head = ["images/s", LIGHTNING, BARE, "of it"]
    found.tables.append(table("Training of the segmenter, medians", head, rows))


def random_batch(composed: Composed, count: int, side_px: int, device: torch.device) -> MaskedBatch:
    """Random images and masks."""
    generator = torch.Generator().manual_seed(0)
    labels = len(composed.source.class_names) + 1
    images = torch.randint(256, (count, 3, side_px, side_px), generator=generator)
    masks = torch.randint(labels, (count, side_px, side_px), generator=generator)
    return {"images": images.byte().to(device), "masks": masks.byte().to(device)}


def network_of(composed: Composed, form: torch.memory_format) -> Any:
    """The untrained segmenter, the same each time."""
    torch.manual_seed(composed.cfg.seed)
    classes = len(composed.source.class_names)
    segmenter = composed.stage("segment").keywords["segmenter"](num_classes=classes)
    return segmenter.to(memory_format=form)


def set_numerics_for(composed: Composed, precision: str) -> None:
    deterministic = composed.cfg.trainer.deterministic
    set_numerics(bool(deterministic), deterministic == "warn", False, precision == TF32)


def stage_seconds(
    composed: Composed, precision: str, batch: MaskedBatch, folder: Path, steps: int
) -> float:
    """Seconds of the steps of an epoch by the trainer of the stages."""
    settings = composed.stage("segment").keywords
    shutil.rmtree(folder, ignore_errors=True)  # A checkpoint would be gone on from.
    with composed.context(folder / "segment" / "timed", precision) as context:
        set_numerics_for(composed, precision)
        task = TimedTask(
            network_of(composed, memory_format(context.fabric.device)),
            len(composed.source.class_names),
            settings["optimizer"],
            settings["lr"],
            settings["head_lr_factor"],
        )
        context.folder.mkdir(parents=True)
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):  # Its progress bar.
            fit(context, task, BatchesOnDevice(batch, steps), None, 1)  # type: ignore[arg-type]
        return task.ended_s - task.started_s


def bare_seconds(
    composed: Composed,
    precision: str,
    batch: MaskedBatch,
    device: torch.device,
    steps: int,
    form: torch.memory_format | None = None,
) -> float:
    """Seconds of as many steps without anything else, in the stage's memory format or another."""
    settings = composed.stage("segment").keywords
    set_numerics_for(composed, precision)
    network = network_of(composed, form or memory_format(device)).to(device).train()
    inner = network.network
    head = [*inner.decoder.parameters(), *inner.segmentation_head.parameters()]
    factor = settings["head_lr_factor"]
    groups = parameter_groups(inner.encoder.parameters(), head, settings["lr"], factor)
    optimizer = settings["optimizer"](groups)
    schedule = poly_schedule(optimizer, steps)
    lower = precision == BF16

    def epoch() -> None:
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(device.type, torch.bfloat16) if lower else nullcontext():
                logits = network(batch["images"].float() / 255)
                labels = batch["masks"].long()
                loss = mean_over_labelled(CrossEntropy()(logits, labels), labels)
            loss.backward()
            optimizer.step()
            schedule.step()

    return seconds_of(epoch, device)
