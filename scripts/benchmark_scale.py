"""What an image costs, what memory a stage takes and how long it starts, by the number of images.

Usage:
    python scripts/benchmark_scale.py --counts 1000 3000 10000 --output runs/benchmark_scale.json
    python scripts/benchmark_scale.py --counts 10000 100000 --last 2000 --keep <folder>
    python scripts/benchmark_scale.py --counts --folders 10000 200000

Images of 48 px are generated in a temporary folder. Each stage is a command of its own that is run
twice: the second finds it finished, which is the start alone. Costs are CPU seconds of all
processes, so that they count on a machine that others use, too; memory is that of all processes at
once, with shared pages shared out. `--last` measures the first of the counts as above, and of the
others the check and `localize` and `refine` on so many of their images (or on all, where there are
no more), with results of the first as those of all other images. `--folders` compares one folder of
so many masks with 256.
Prints tables and writes JSON, after each step: what an interrupted run has measured is kept.
"""

import argparse
import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from scale_benchmark.folders import flat, operations, sharded
from scale_benchmark.generated_images import generate
from scale_benchmark.last_images import costs_of_last
from scale_benchmark.stages import CHECK, STAGES, costs
from scale_benchmark.tables import folder_table, stage_table

from wsss.artifacts import write_json


def parsed() -> argparse.Namespace:
    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=kind)
    add = parser.add_argument
    add("--counts", type=int, nargs="*", default=[1000, 3000, 10_000], help="images")
    add("--only", nargs="+", default=[CHECK, *STAGES], choices=[CHECK, *STAGES])
    add("--last", type=int, help="images to compute of all counts but the first")
    add("--folders", type=int, nargs="*", default=[], help="masks in a folder")
    add("--side-px", type=int, default=48)
    add("--workers", type=int, default=2)
    add("--keep", type=Path, help="folder for images and results; a temporary one if left out")
    add("--output", type=Path, default=Path("runs/benchmark_scale.json"))
    return parser.parse_args()


def main() -> None:
    arguments = parsed()
    result: dict[str, Any] = {
        "cores": os.cpu_count(),
        "side_px": arguments.side_px,
        "workers": arguments.workers,
        "date": datetime.now().astimezone().isoformat(timespec="minutes"),
        "stages": [],
        "folders": [],
    }
    with tempfile.TemporaryDirectory() as temporary:
        base = (arguments.keep or Path(temporary)).absolute()
        for count in arguments.counts:
            data, work_dir = base / f"{count}", base / f"{count}_runs"
            if not data.is_dir():
                generate(data, count, arguments.side_px)
            smaller = base / f"{arguments.counts[0]}"
            if arguments.last and data != smaller:
                work_dirs = work_dir, smaller.with_name(f"{smaller.name}_runs")
                rows = costs_of_last(
                    data, smaller, count, arguments.last, work_dirs, arguments.workers
                )
            else:
                rows = costs(data, count, work_dir, arguments.only, arguments.workers)
            for row in rows:
                result["stages"].append(row)
                write_json(arguments.output, result)
                print(row, flush=True)
        for count in arguments.folders:
            for layout, store_of in (("one folder", flat), ("256 folders", sharded)):
                folder = base / f"{count}_{store_of.__name__}"
                found = {"layout": layout, **operations(folder, count, store_of)}
                result["folders"].append(found)
                write_json(arguments.output, result)
    print(stage_table(result["stages"]))
    if result["folders"]:
        print(folder_table(result["folders"]))


if __name__ == "__main__":
    main()
