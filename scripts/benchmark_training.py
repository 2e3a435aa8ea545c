#!/usr/bin/env python3
"""Images a second of the segmenter's training, from its images to its steps, against a bare loop.

Usage:
    python scripts/benchmark_training.py --output runs/benchmark_training.json
    python scripts/benchmark_training.py --data my_images --rounds 3 --output …
    python scripts/benchmark_training.py --ways stage bf16 compiled --set experiment=demo
    OMP_WAIT_POLICY=passive python scripts/benchmark_training.py --ways stage --beside 1

Without `--data` it is that of `experiment=demo`. The bare loop takes the same network, optimiser,
schedule, batch and size, with random images that are in memory already, and nothing else. The stage
reads, decodes and augments images and pseudo masks (random ones, of the images' sizes), checks each
loss and measures its agreement. Epochs are timed from their start to their last step; the first,
in which images are decoded, is told beside the median of the others. Ways take turns, after a round
that warms up. `--beside` keeps so many cores busy meanwhile, as other people's work does. Prints a
table and writes JSON.
"""

import argparse
import logging
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import rich
import torch
from gpu_benchmark.environment import described, torch_device
from gpu_benchmark.parts import table
from gpu_benchmark.run_settings import BF16, FLOAT32, Composed
from gpu_benchmark.training_rates import bare_seconds, network_of, random_batch
from gpu_benchmark.waiting import interleaved

from wsss.artifacts import LabelStore, write_json
from wsss.data.datasets import MaskedImages
from wsss.data.sample import VOID_LABEL, Item
from wsss.data.source import TRAIN
from wsss.machine.devices import memory_format
from wsss.machine.numerics import numerics_kept
from wsss.stage_tools.loaders import training_loader
from wsss.stage_tools.training import fit
from wsss.tasks import SegmentationTask

BARE = {
    "bare loop, contiguous": torch.contiguous_format,
    "bare loop, channels last": torch.channels_last,
}
STAGES: dict[str, dict[str, Any]] = {
    "stage": {},
    "stage, processes from the first epoch": {"workers_as_needed": False},
    "stage, decoding in every epoch": {"keep_images_mib": 0},
    "stage, both": {"workers_as_needed": False, "keep_images_mib": 0},
    "stage, bf16": {"precision": BF16},
    "stage, compiled": {"compiled": True},
}
Rates = tuple[float, list[float]]
"""Images a second in the first epoch, and in the others."""


class TimedTask(SegmentationTask):
    """The stage's task, which notes how long the steps of each epoch take."""

    def on_train_epoch_start(self) -> None:
        """Note the time before the first batch is asked for."""
        self._started_s = time.perf_counter()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Note the time after the last step."""
        if batch_idx + 1 == self.trainer.num_training_batches:
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            self.__dict__.setdefault("seconds", []).append(time.perf_counter() - self._started_s)


def stage_rates(
    composed: Composed,
    folder: Path,
    masks: LabelStore,
    items: Sequence[Item],
    epochs: int,
    precision: str = FLOAT32,
    compiled: bool = False,
    **context_options: Any,
) -> Rates:
    """Images a second of each epoch, by the stage's loader and trainer."""
    settings = composed.stage("segment").keywords
    with (
        tempfile.TemporaryDirectory(dir=folder) as own,
        composed.context(Path(own) / "segment" / "timed", precision) as context,
    ):
        context = replace(context, **{"workers_as_needed": True, **context_options})
        context.folder.mkdir(parents=True)
        network = network_of(composed, memory_format(context.fabric.device))
        if compiled:
            network.compile()
        task = TimedTask(
            network,
            len(composed.source.class_names),
            settings["optimizer"],
            settings["lr"],
            settings["head_lr_factor"],
        )
        images = MaskedImages(
            composed.source, items, masks.read, settings["augmentation"], context.seed
        )
        train = training_loader(context, images, settings["batch_size"])
        fit(context, task, train, None, epochs, epochs, items)
        count = len(train) * settings["batch_size"]
        first, *others = (count / one for one in task.__dict__["seconds"])
    return first, others


def random_masks(composed: Composed, items: Sequence[Item], folder: Path) -> LabelStore:
    """Pseudo masks of random blocks of an eighth of the image, a tenth of them void."""
    store = LabelStore(folder / "masks")
    rng = np.random.default_rng(0)
    for item in items:
        height, width, _ = composed.source.read_image(item).shape
        blocks = rng.choice([0, *item.labels], (8, 8)).astype(np.uint8)
        blocks[rng.random((8, 8)) < 0.1] = VOID_LABEL
        tall = np.repeat(blocks, -(-height // 8), axis=0)[:height]
        store.write(item, np.repeat(tall, -(-width // 8), axis=1)[:, :width])
    return store


@contextmanager
def busy(cores: int) -> Iterator[None]:
    """Programs that compute without end, each of which takes a core."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(cores)]
    try:
        yield
    finally:
        for one in programs:
            one.kill()
            one.wait()


def measured(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Images a second of each way."""
    words = [f"work_dir={folder}", *arguments.set]
    words += ["data=folder", f"data.root={arguments.data}"] if arguments.data else []
    composed = Composed(words, arguments.device)
    device = torch_device(arguments.device)
    items = composed.source.items(TRAIN)[: arguments.images]
    masks = random_masks(composed, items, folder)
    settings = composed.stage("segment").keywords
    batch_size, side = settings["batch_size"], settings["augmentation"].crop_px
    batch = random_batch(composed, batch_size, side, device)
    steps = max(1, len(items) // batch_size)

    def bare(form: torch.memory_format) -> Rates:
        seconds = bare_seconds(composed, FLOAT32, batch, device, steps, form)
        return 0.0, [steps * batch_size / seconds]

    calls: dict[str, Callable[[], Rates]] = {name: partial(bare, one) for name, one in BARE.items()}
    for name, options in STAGES.items():
        if not arguments.ways or name.rpartition(", ")[2] in arguments.ways:
            calls[name] = partial(
                stage_rates, composed, folder, masks, items, arguments.epochs, **options
            )
    with numerics_kept(), busy(arguments.beside):
        found = interleaved(calls, arguments.rounds)
    rates = {name: [rate for _, rates in one for rate in rates] for name, one in found.items()}
    firsts = {name: median(first for first, _ in one) for name, one in found.items()}
    medians = {name: median(one) for name, one in rates.items()}
    best = max(medians[name] for name in BARE)
    return {
        "data": arguments.data or "experiment=demo",
        "images": len(items),
        "batch_size": batch_size,
        "crop_px": side,
        "threads": torch.get_num_threads(),
        "beside": arguments.beside,
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY"),
        "images_per_s": medians,
        "first_epoch_images_per_s": firsts,
        "of_bare_loop": {name: rate / best for name, rate in medians.items()},
        "epochs": rates,
    }


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=os.path.abspath, help="a folder data set")
    parser.add_argument("--output", default="runs/benchmark_training.json", type=Path)
    parser.add_argument("--images", type=int, default=64, help="of the training split")
    parser.add_argument("--epochs", type=int, default=4, help="of the stage in a round")
    parser.add_argument("--rounds", type=int, default=3, help="besides one that warms up")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--ways", nargs="*", help="last words of the stage's ways; all by default")
    parser.add_argument("--beside", type=int, default=0, help="busy programs beside it")
    parser.add_argument("--set", nargs="*", default=[], help="settings of the run")
    arguments = parser.parse_args()
    if not arguments.data and not any("experiment" in word for word in arguments.set):
        arguments.set = ["experiment=demo", *arguments.set]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("lightning_fabric", "pytorch_lightning"):
            logging.getLogger(name).setLevel(logging.ERROR)
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):  # Progress bars.
            numbers = measured(arguments, Path(folder))
    numbers["environment"] = described(arguments.device)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    write_json(arguments.output, numbers)
    firsts = numbers["first_epoch_images_per_s"]
    rows = [
        [name, f"{firsts[name]:.1f}" if firsts[name] else "–", f"{rate:.1f}",
         f"{numbers['of_bare_loop'][name]:.2f}"]
        for name, rate in numbers["images_per_s"].items()
    ]  # fmt: skip
    head = ["images/s", "first epoch", "later", "of the bare loop"]
    rich.print(table(f"Training of the segmenter on {numbers['data']}, medians", head, rows))
    print(f"Written: {arguments.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
