"""What a GPU takes for the recipe of photographs, and where: four minutes on a large card.

Usage:
    scripts/benchmark_gpu.sh my_images
    scripts/benchmark_gpu.sh my_images --parts recipe precision --output runs/benchmark_gpu
    scripts/benchmark_gpu.sh my_images --parts training --rounds 9

DATA is the root of a `data=folder` data set; aims are those for the 924 photographs of
docs/speed.md on one H100 with 16 cores. Run it with nothing else on the card or the cores,
and never beside check_gpu.sh: it measures times, and warns where the card is not idle. Parts,
each written to benchmark_gpu.json as it ends, with every aim and whether it was met:

    recipe     `wsss run experiment=voc_coseg` in a fresh folder, stage by stage, and the head
    planning   seconds of the first pass of each shape of DATA, as share of localize and evaluate
    crf        dense CRF at 375 x 500, images a second beside numba on all cores
    training   the segmenter's training in float32, TF32 and bf16, beside a bare loop
    precision  what TF32 and bf16 change in seeds of the recipe's classifier
    affinity   labels, training and walk of refine=affinity, one epoch, on the recipe's classifier
    shapes     what a new shape costs by kind of layer, memory format, precision, determinism, cuDNN

`precision`, `affinity` and the share of `planning` need the `recipe` of the same output folder,
which stays there until `recipe` is measured again. Parts that would begin after --limit-s are left
out. The exit status tells whether all parts came to their end, not whether aims were met.
"""

import argparse
import logging
import shutil
import sys
from pathlib import Path

import torch
from gpu_benchmark.affinity_rates import affinity_part
from gpu_benchmark.commands import children_ended
from gpu_benchmark.crf_rates import crf_part
from gpu_benchmark.environment import (
    CPU,
    GPU,
    chosen_device,
    described,
    others_on_card,
    torch_device,
)
from gpu_benchmark.new_shapes import BATCH, CELLS, SETTINGS, new_shapes_part
from gpu_benchmark.parts import Parts, make_console
from gpu_benchmark.planning import planning_part
from gpu_benchmark.precision import precision_part
from gpu_benchmark.recipe import recipe_part
from gpu_benchmark.run_settings import Composed
from gpu_benchmark.training_rates import training_part
from rich.console import Console

from wsss.machine.memory import keep_freed_memory

PARTS = ("recipe", "planning", "crf", "training", "precision", "affinity", "shapes")
LIBRARIES = ("pytorch_lightning", "lightning_fabric")


def parsed() -> argparse.Namespace:
    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "benchmark_gpu.sh", "benchmark_gpu.sh DATA [options]", __doc__, formatter_class=kind
    )
    add = parser.add_argument
    add("data", type=Path, metavar="DATA", help="a folder data set")
    add("--output", type=Path, default=Path("runs/benchmark_gpu"))
    add("--device", choices=("auto", GPU, CPU), default="auto", help="a GPU if there is one")
    add("--parts", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    add("--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings of the recipe")
    add("--rounds", type=int, default=3, help="of the training")
    add("--steps", type=int, default=20, help="of a round")
    add("--images", type=int, default=96, help="whose seeds are compared")
    add("--shape-seconds", type=float, default=1.5, help="of each way to compute new shapes")
    add("--shape-batch", type=int, default=BATCH, help="images of a new shape")
    add("--max-cells", type=int, default=CELLS[-1], help="largest side of new shapes, in 16 px")
    add("--planning-s", type=float, default=8.0, help="seconds of a stage's planning at most")
    add("--crf", nargs=argparse.REMAINDER, default=[], help="words for benchmark_crf_gpu.py, last")
    add("--limit-s", type=float, default=235.0, help="seconds after which no part begins")
    return parser.parse_args()


def main() -> int:
    options = parsed()
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.ERROR)
    console = Console(soft_wrap=True)
    device = chosen_device(options.device)
    missing = device == GPU and not torch.cuda.is_available()
    if missing or (options.device == "auto" and device != GPU):
        console.print("There is no GPU. `--device cpu` measures the CPU, without any aim.")
        return 1
    warning = others_on_card(device)
    if warning:
        console.print(f"[red]Warning:[/] {warning}")
    keep_freed_memory()
    folder: Path = options.output.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "benchmark_gpu.json"
    head = {"environment": described(device), "card_not_idle": warning, "data": options.data.name}
    console.print(f"On {head['environment']['device']}, commit {head['environment']['commit']}")
    parts = Parts(path, head, options.limit_s, False, make_console(), judged=device == GPU)
    with children_ended():
        run(parts, options, device, folder)
    console.print(f"Written to {path}")
    return 0 if parts.passed else 1


def run(parts: Parts, options: argparse.Namespace, device: str, folder: Path) -> None:
    """Run the chosen parts, those that others need first."""
    data: Path = options.data.absolute()
    where, work_dir = torch_device(device), folder / "recipe"
    words = ["experiment=voc_coseg", f"data.root={data}", *options.set]
    in_run = [*words, f"trainer={device}"]
    cells = range(min(CELLS[0], options.max_cells // 2), options.max_cells + 1)

    def composed() -> Composed:
        return Composed([*words, f"work_dir={work_dir}"], device)

    measures = {
        "recipe": lambda found: recipe_part(
            found, in_run, emptied(work_dir), folder / "recipe.log", parts.left_s
        ),
        "planning": lambda found: planning_part(
            found, composed(), where, work_dir, options.planning_s
        ),
        "crf": lambda found: crf_part(
            found, data, folder / "crf", device, parts.left_s, options.crf
        ),
        "training": lambda found: training_part(
            found, composed(), where, folder / "training", options.steps, options.rounds
        ),
        "precision": lambda found: precision_part(
            found, composed(), work_dir, emptied(folder / "precision"), options.images
        ),
        "affinity": lambda found: affinity_part(
            found, in_run, work_dir, folder / "affinity.log", parts.left_s
        ),
        "shapes": lambda found: new_shapes_part(
            found,
            composed(),
            where,
            min(options.shape_seconds, parts.left_s / (2 * len(SETTINGS))),
            options.shape_batch,
            cells,
        ),
    }
    for name in PARTS:
        if name in options.parts:
            parts.run(name, measures[name])
            if torch.cuda.is_initialized():
                torch.cuda.empty_cache()  # The next part's process has a pool of its own.


def emptied(folder: Path) -> Path:
    """A folder of an earlier benchmark, removed."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
