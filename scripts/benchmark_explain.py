"""What `wsss explain … scores=true` takes beyond the forward passes of masked images.

Usage:
    python scripts/benchmark_explain.py --output runs/benchmark_explain.json
    python scripts/benchmark_explain.py --methods cam recipro_cam --size-px 128 --rounds 5

Every round runs, in an order of its own, as many bare forward passes of random images as a map's
scores take, in the same batches with the same threads, and the scores of a map by each method.
Times are multiples of these passes, taken within a round; a method's own maps count. "before" are
the scores by the first method as they were computed at first: 32 images a pass, planes of colours
one after the other. On a machine with other work, `--cpu-time` counts this process's seconds alone.
Writes JSON and prints a table.
"""

import argparse
import copy
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch
from cam_benchmark.contestants import make_method, make_model
from cam_benchmark.timing import measure, spread
from torch import Tensor

from wsss.artifacts import write_json
from wsss.cams.core.method import CamMethod
from wsss.explain.counted_passes import images_per_pass
from wsss.explain.faithfulness_protocol import Protocol, judge, predicted_class
from wsss.explain.faithfulness_scores import faithfulness_passes
from wsss.machine.memory import keep_freed_memory
from wsss.models import SplitClassifier
from wsss.pipeline.versions import commit, versions

NUM_CLASSES = 20
PASSES = "forward passes"
BEFORE = "before"


def parsed() -> argparse.Namespace:
    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=kind)
    add = parser.add_argument
    add("--methods", nargs="+", default=["cam", "gradcam", "layercam", "recipro_cam"])
    add("--model", default="tf_efficientnet_lite0", help="name in configs/backbone or of timm")
    add("--size-px", type=int, default=224)
    add("--device", default="cpu", type=torch.device)
    add("--threads", type=int, default=None, help="of torch (as many as it takes)")
    add("--rounds", type=int, default=5)
    add("--warm-up", type=int, default=1, help="rounds that do not count")
    add("--cpu-time", action="store_true", help="seconds of this process, on one thread")
    add("--skip-before", action="store_true")
    add("--output", type=Path, default=Path("runs/benchmark_explain.json"))
    return parser.parse_args()


def main() -> None:
    arguments = parsed()
    keep_freed_memory()
    if arguments.cpu_time or arguments.threads:
        torch.set_num_threads(1 if arguments.cpu_time else arguments.threads)
    device, size = arguments.device, (arguments.size_px, arguments.size_px)
    model = make_model(arguments.model, NUM_CLASSES, device)
    torch.manual_seed(0)
    image = torch.rand(1, 3, *size, device=device)
    count, batch_size = faithfulness_passes(size), images_per_pass(size, device)
    calls: dict[str, Callable[[], Any]] = {
        PASSES: partial(bare_passes, model, image, count, batch_size)
    }
    for name in arguments.methods:
        method = make_method(name, [], device, trained=False)
        calls[name] = partial(scores, model, method, image)
    if not arguments.skip_before:
        former = copy.deepcopy(model).to(memory_format=torch.contiguous_format)
        method = make_method(arguments.methods[0], [], device, trained=False)
        calls[BEFORE] = partial(scores, former, method, image, batch_size=32)
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    seconds = measure(calls, arguments.rounds, arguments.warm_up, device, clock)
    rows = {
        name: {
            "seconds": spread(own),
            "times_passes": spread(
                [one / bare for one, bare in zip(own, seconds[PASSES], strict=True)]
            ),
        }
        for name, own in seconds.items()
    }
    environment = {
        "commit": commit(),
        "date": datetime.now().astimezone().isoformat(timespec="minutes"),
        "device": str(device),
        "seconds": "of the process" if arguments.cpu_time else "of the clock",
        "threads": torch.get_num_threads(),
        "versions": versions(),
    }
    settings = {
        "model": arguments.model,
        "size_px": arguments.size_px,
        "passes": count,
        "images_per_pass": batch_size,
        "rounds": arguments.rounds,
    }
    write_json(arguments.output, {"environment": environment, **settings, "rows": rows})
    print(f"{count} passes of {arguments.size_px} px, {batch_size} images at once, {device}")
    for name, row in rows.items():
        print(f"{name:<20}{row['seconds']['median']:8.2f} s{row['times_passes']['median']:8.2f}")


@torch.no_grad()
def bare_passes(model: SplitClassifier, image: Tensor, count: int, batch_size: int) -> None:
    """Pass `count` images through the network, and nothing else."""
    batch = image.repeat(batch_size, 1, 1, 1)
    for done in range(0, count, batch_size):
        model(batch[: count - done])


def scores(
    model: SplitClassifier, method: CamMethod, image: Tensor, batch_size: int | None = None
) -> None:
    """The scores of a map of the most probable class."""
    protocol = Protocol(class_rule=predicted_class, batch_size=batch_size)
    no_tags = torch.zeros(1, model.num_classes, dtype=torch.bool, device=image.device)
    judge(model, method, image, no_tags, protocol)


if __name__ == "__main__":
    main()
