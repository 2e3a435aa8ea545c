#!/usr/bin/env python3
"""Parameters, time and memory of every segmenter, and what it learns from the same pseudo masks.

Usage:
    python scripts/benchmark_segmenters.py
    python scripts/benchmark_segmenters.py --device gpu --set experiment=voc_coseg data.root=…
    python scripts/benchmark_segmenters.py --masks <runs/refine/…> --seeds 0 1 2 --set …

Every segmenter has EfficientNet-Lite0 as its encoder, whose weights are in an installed package,
but for DPT, which takes a vision transformer, whose weights are on a hub. A training step is one of
the stage's batch, crop and optimiser (`--set`; without it those of `experiment=demo`), with random
images and weights, in a process of its own: the median of `--rounds` rounds of `--steps`, after one
step that warms up. Memory is the most that the process takes beside what it had before, on a GPU
the most that torch takes.

With `--masks`, the folder of a finished stage `refine`, each is trained on these pseudo masks of
the data in `--set` by the schedule there, and scored; without the evidence of a classifier, so that
the segmenters alone are compared. Finished stages are not computed again, and the file is written
after every run: the same command goes on where it was interrupted. What cannot be run, such as
weights of a hub without a network, is said and left out.
"""

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any

import psutil
import rich
import torch
from benchmark_levers import stage_folders
from gpu_benchmark.environment import described, torch_device
from gpu_benchmark.parts import table
from gpu_benchmark.run_settings import FLOAT32, Composed
from gpu_benchmark.training_rates import bare_seconds, network_of, random_batch

from wsss.artifacts import read_json, write_json
from wsss.machine.numerics import numerics_kept

LITE0 = ["segmenter.encoder=tf_efficientnet_lite0", "segmenter.weights=package"]
STRIDE_16 = "segmenter.output_stride=16"
SEGMENTERS = {
    "deeplabv3plus": ["segmenter=deeplabv3plus_lite0"],
    "deeplabv2": ["segmenter=deeplabv2", *LITE0],
    "deeplabv2, stride 16": ["segmenter=deeplabv2", *LITE0, STRIDE_16],
    "pspnet": ["segmenter=pspnet", *LITE0, STRIDE_16],
    "upernet": ["segmenter=upernet", *LITE0],
    "segformer": ["segmenter=segformer", *LITE0],
    "unet": ["segmenter=unet", *LITE0],
    "dpt (deit_small)": ["segmenter=dpt"],
}
MIB = 2**20
SUBJECTS = ("segmenter", "segmenter_tta_crf")
ALONE = "segment.classifier_weight=0"


def measured(words: Sequence[str], device: str, steps: int, rounds: int) -> dict[str, float]:
    """Parameters, seconds of a training step and peak memory of a segmenter, in this process."""
    composed = Composed([*words, "segmenter.weights=null"], device)
    settings, where = composed.stage("segment").keywords, torch_device(device)
    form = torch.contiguous_format
    network = network_of(composed, form)
    parts = {"parameters": network, "encoder_parameters": network.network.encoder}
    counts = {key: sum(one.numel() for one in part.parameters()) for key, part in parts.items()}
    del network
    side_px = settings["augmentation"].crop_px
    batch = random_batch(composed, settings["batch_size"], side_px, where)
    before = psutil.Process().memory_info().rss
    with numerics_kept():
        bare_seconds(composed, FLOAT32, batch, where, 1)
        seconds = [bare_seconds(composed, FLOAT32, batch, where, steps) for _ in range(rounds)]
    if where.type == "cuda":
        peak = torch.cuda.max_memory_allocated(where)
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    return {
        **counts,
        "step_s": median(seconds) / steps,
        "peak_mib": max(0, peak) / MIB,
        "batch_size": len(batch["images"]),
        "crop_px": side_px,
        "threads": torch.get_num_threads(),
    }


def measured_apart(
    words: Sequence[str], device: str, steps: int, rounds: int
) -> dict[str, float] | str:
    """The same in a process of its own; why not, where that fails."""
    numbers = ["--device", device, "--steps", str(steps), "--rounds", str(rounds)]
    command = [sys.executable, __file__, "--alone", *numbers, "--set", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return last_line(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def scored(words: Sequence[str], work_dir: Path) -> dict[str, float] | str:
    """Scores and minutes of a training on given masks; why there are none, where it fails."""
    try:
        folders = stage_folders(words, work_dir)
    except subprocess.CalledProcessError as error:
        return f"wsss run ends with {error.returncode}: see above"
    subjects = read_json(folders["evaluate"] / "metrics.json")["subjects"]
    trained = read_json(folders["segment"] / "manifest.json")["wall_time_s"] / 60
    return {**{name: subjects[name]["miou"] for name in SUBJECTS}, "minutes": trained}


def last_line(said: str) -> str:
    """The last line of what a program said."""
    return (said.strip().splitlines() or ["no word"])[-1]


def shown(known: Mapping[str, Mapping[str, Any]], with_scores: bool) -> None:
    """Print what is known so far."""
    rows = []
    for name, one in known.items():
        step = one.get("step", {}).get("found", "not measured")
        if isinstance(step, str):
            cells = [step[:40], "", "", ""]
        else:
            decoder = step["parameters"] - step["encoder_parameters"]
            cells = [f"{step['parameters'] / 1e6:.1f}", f"{decoder / 1e6:.1f}"]
            cells += [f"{step['step_s']:.2f}", f"{step['peak_mib']:.0f}"]
        runs = [run["found"] for run in one.get("runs", {}).values()]
        good = [run for run in runs if not isinstance(run, str)]
        if with_scores:
            cells += [f"{mean(run[key] for run in good):.4f}" if good else "–" for key in SUBJECTS]
            cells += [f"{mean(run['minutes'] for run in good):.1f}" if good else "–"]
        rows.append([name, *cells])
    head = ["segmenter", "10⁶ parameters", "decoder's", "s a step", "MiB"]
    head += ["mIoU", "scales, CRF", "minutes"] if with_scores else []
    rich.print(table("Segmenters", head, rows))


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--masks", type=Path, help="folder of a finished stage `refine`, or of masks alone")
    add("--seeds", type=int, nargs="+", default=[0], help="of the runs on masks")
    add("--only", nargs="*", help=f"some of: {', '.join(SEGMENTERS)}")
    add("--steps", type=int, default=4, help="training steps of a round")
    add("--rounds", type=int, default=5)
    add("--device", choices=("cpu", "gpu"), default="cpu")
    add("--set", nargs="*", default=["experiment=demo"], help="settings of every run")
    add("--work-dir", type=Path, default=Path("runs/segmenters"))
    add("--output", type=Path, default=Path("runs/benchmark_segmenters.json"))
    add("--alone", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:
        print(json.dumps(measured(asked.set, asked.device, asked.steps, asked.rounds)))
        return 0
    known = read_json(asked.output)["segmenters"] if asked.output.is_file() else {}
    asked.output.parent.mkdir(parents=True, exist_ok=True)

    def noted(
        place: dict[str, Any], key: str, of: dict[str, Any], compute: Callable[[], Any]
    ) -> None:
        """Compute what the file does not have, and write it."""
        before = place.get(key, {})
        if before.get("of") != of or isinstance(before.get("found"), str):
            place[key] = {"of": of, "found": compute()}
        content = {"environment": described(asked.device), "segmenters": known}
        write_json(asked.output, content)

    names = [name for name in SEGMENTERS if not asked.only or name in asked.only]
    size = {"device": asked.device, "steps": asked.steps, "rounds": asked.rounds}
    for name in names:
        words, own = [*asked.set, *SEGMENTERS[name]], known.setdefault(name, {})
        noted(own, "step", {"words": words, **size}, partial(measured_apart, words, **size))
    for seed in asked.seeds if asked.masks else ():
        masks = asked.masks / "masks" if (asked.masks / "masks").is_dir() else asked.masks
        given = ["refine=given", f"refine.masks={masks.absolute()}", ALONE, f"seed={seed}"]
        for name in names:
            words = [*asked.set, *SEGMENTERS[name], *given, f"trainer={asked.device}"]
            runs = known[name].setdefault("runs", {})
            noted(runs, str(seed), {"words": words}, partial(scored, words, asked.work_dir))
    shown({name: known[name] for name in names}, bool(asked.masks))
    print(f"Written: {asked.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
