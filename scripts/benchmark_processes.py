#!/usr/bin/env python3
"""Two processes of a run against one: the time of each stage, and what training gives.

Usage:
    python scripts/benchmark_processes.py --output runs/benchmark_processes.json
    python scripts/benchmark_processes.py --rounds 3 --set data.num_train=64 segment.max_epochs=4

Runs `wsss run experiment=demo` on the CPU with one process, with two at the same batch size (gloo),
and with one and another seed, in turns, each in an empty folder. Both share out the cores: two
processes compute on half of them each. Told is what a stage's manifest says: seconds, and the
share of them in which its first process waited for images. What training gives with two processes
is told beside what another seed gives: a difference that is smaller than this is chance's. Prints
tables and writes JSON.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import rich
from gpu_benchmark.environment import described
from gpu_benchmark.parts import table

from wsss.artifacts import write_json
from wsss.stage_tools.measured import IMAGES
from wsss.stages import CHAIN

ONE, TWO, SEED = "one process", "two processes", "one, seed=1"
WAYS = {
    ONE: ("trainer=cpu",),
    TWO: ("trainer=ddp_cpu",),
    SEED: ("trainer=cpu", "seed=1"),
}


def manifests(words: Sequence[str]) -> dict[str, Any]:
    """Run the pipeline in a new folder, and read what its stages left."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "wsss", "run", f"work_dir={folder}", *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found = (json.loads(path.read_text()) for path in Path(folder).glob("*/*/manifest.json"))
        return {one["stage"]: one for one in found}


def numbers_of(run: Mapping[str, Any]) -> dict[str, float]:
    """All numbers of a run, by stage and name."""
    return {
        f"{stage}/{name}": value
        for stage in CHAIN
        if stage in run
        for name, value in run[stage]["numbers"].items()
        if isinstance(value, float)
    }


def main() -> int:
    """Run, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", default="runs/benchmark_processes.json", type=Path)
    parser.add_argument("--rounds", type=int, default=1, help="of all ways")
    parser.add_argument("--set", nargs="*", default=[], help="settings of the runs")
    arguments = parser.parse_args()
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for _ in range(arguments.rounds):
        for way, words in WAYS.items():
            runs[way].append(manifests(["experiment=demo", *arguments.set, *words]))
    stages = [stage for stage in CHAIN if stage in runs[ONE][0]]
    seconds = {
        way: {stage: median(one[stage]["wall_time_s"] for one in several) for stage in stages}
        for way, several in runs.items()
    }
    waits = {
        way: {stage: several[0][stage].get("waits_s", {}).get(IMAGES, 0.0) for stage in stages}
        for way, several in runs.items()
    }
    numbers = {way: numbers_of(several[0]) for way, several in runs.items()}
    write_json(
        arguments.output,
        {
            "settings": arguments.set,
            "environment": described("cpu"),
            "seconds": seconds,
            "waits_for_images_s": waits,
            "numbers": numbers,
        },
    )
    rows = [
        [stage, *(f"{seconds[way][stage]:.1f}" for way in (ONE, TWO)),
         f"{seconds[ONE][stage] / seconds[TWO][stage]:.2f}",
         *(f"{waits[way][stage] / seconds[way][stage]:.0%}" for way in (ONE, TWO))]
        for stage in stages
    ]  # fmt: skip
    head = ["seconds", ONE, TWO, "times as fast", f"waiting, {ONE}", f"waiting, {TWO}"]
    rich.print(table("Stages", head, rows))
    rows = [
        [name, *(f"{numbers[way][name]:.4f}" for way in WAYS)]
        for name in numbers[ONE]
        if all(name in numbers[way] for way in WAYS)
    ]
    rich.print(table("What comes out", ["", *WAYS], rows))
    print(f"Written: {arguments.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
