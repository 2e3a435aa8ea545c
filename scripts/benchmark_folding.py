#!/usr/bin/env python3
"""What batch norms cost in inference: passes of networks as trained, and folded, by turns.

    python scripts/benchmark_folding.py --output runs/benchmark_folding.json

Networks have random weights and batch norms random statistics. Prints a table of CPU seconds of a
pass on one thread, their ratio, and the largest difference of outputs in float64, relative to the
largest output; writes them as JSON.
"""

import argparse
import time
from functools import partial
from pathlib import Path
from statistics import median

import rich
import torch
from gpu_benchmark.environment import described
from gpu_benchmark.parts import table
from torch import nn

from wsss.artifacts import write_json
from wsss.models import Segmenter
from wsss.models.backbones import TimmBackbone
from wsss.models.folded_batch_norm import BatchNorm, folded
from wsss.models.joined_backbones import JoinedBackbones

LITE0, LITE2 = "tf_efficientnet_lite0", "tf_efficientnet_lite2"
NETWORKS = {
    "EfficientNet-Lite0": partial(TimmBackbone, LITE0),
    "EfficientNet-Lite2": partial(TimmBackbone, LITE2),
    "both side by side": partial(JoinedBackbones, f"{LITE0}+{LITE2}"),
    "MobileNetV2": partial(TimmBackbone, "mobilenetv2_100"),
    "ResNet-50": partial(TimmBackbone, "resnet50"),
    "DeepLabV3+ on Lite0": partial(Segmenter, "DeepLabV3Plus", LITE0, None, 20, 16, 128),
}


def with_statistics(network: nn.Module) -> nn.Module:
    """The network in evaluation mode, with batch norms that do something."""
    for layer in network.modules():
        if isinstance(layer, BatchNorm):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias)
    return network.eval()


def difference(network: nn.Module, images: torch.Tensor) -> float:
    """Largest difference of the folded network's outputs in float64, relative to the largest."""
    exact, seen = network.double(), images.double()
    expected, found = exact(seen), folded(exact, exact)(seen)
    return float((found - expected).abs().max() / expected.abs().max())


def measured(network: nn.Module, images: torch.Tensor, rounds: int) -> dict[str, float]:
    """Median CPU seconds of a pass; the two take turns, and one round warms up."""
    network = network.to(memory_format=torch.channels_last)
    contestants = {"as trained": network, "folded": folded(network, network)}
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, one in contestants.items():
            start = time.process_time()
            one(images)
            if number > 0:
                seconds[name].append(time.process_time() - start)
    found = {name: median(values) for name, values in seconds.items()}
    return found | {"ratio": found["folded"] / found["as trained"]}


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--output", type=Path, default=Path("runs/benchmark_folding.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    images = torch.rand(2, 3, 384, 512).to(memory_format=torch.channels_last)
    found = {}
    for name, build in NETWORKS.items():
        network = with_statistics(build())
        found[name] = measured(network, images, arguments.rounds)
        found[name]["difference"] = difference(network, images[:1])
    rich.print(
        table(
            "2 images of 384 × 512 px, one thread: CPU seconds of a pass",
            ("network", "as trained", "folded", "ratio", "difference in float64"),
            [
                (name, f"{one['as trained']:.3f}", f"{one['folded']:.3f}", f"{one['ratio']:.2f}",
                 f"{one['difference']:.0e}")
                for name, one in found.items()
            ],
        )
    )  # fmt: skip
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    write_json(arguments.output, {"environment": described("cpu"), "networks": found})


if __name__ == "__main__":
    main()
