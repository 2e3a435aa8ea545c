#!/usr/bin/env python3
"""What each lever is worth: alone, and in its absence from all that are kept together.

Usage:
    python scripts/benchmark_levers.py --levers <embedded.yaml> --seeds 0 1 2
    python scripts/benchmark_levers.py --levers <photographs.yaml> --data <voc2010_coseg>

The lists of levers are in `scripts/lever_benchmark/`.
A file of levers has `base`, the words of every run, and `levers`, those of each by its name. A
lever is kept with `kept: true`; what is kept is run together, and without each.

    base: [experiment=voc_coseg, "stages=[classify,localize,refine,segment,evaluate]"]
    levers:
      linear probe: {words: [refine=probe_crf], kept: true}
      Lite2: {words: [backbone=efficientnet_lite2]}

The validation images of the data set `--data` are not touched: every fourth training image is held
out in their place, so that what is chosen by these figures is chosen with the masks of training
images in view (`oracle`). Without it `base` names the data, such as a draw of the embedded set that
no other figure is measured on. Runs share a work folder, and what several need is computed once.
Prints a table and writes JSON after every run: the same command goes on where it was interrupted.
Two commands may share the folder, with `--only` and an `--output` each.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any

import rich
from gpu_benchmark.environment import described
from gpu_benchmark.parts import table
from linked_photographs import linked, table_rows
from omegaconf import OmegaConf

from wsss.artifacts import read_json, write_json

EVERY = 4
"""Each of so many training images is held out."""
BASE, TOGETHER = "base", "together"
SUBJECTS = ("pseudo_masks", "segmenter", "segmenter_tta_crf")


def held_out(root: Path, folder: Path) -> Path:
    """A data set of the training images of another, every fourth as its validation images."""
    if folder.is_dir():
        return folder
    ids = (root / "splits" / "train.txt").read_text(encoding="utf-8").split()
    rows = [row for row in table_rows(root) if Path(row.image).stem in {*ids}]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="held_out_", dir=folder.parent) as temporary:
        made = linked(root, rows, Path(temporary) / "data")
        (made / "splits").mkdir()
        parts = {"train": [one for n, one in enumerate(ids) if n % EVERY], "val": ids[::EVERY]}
        for name, own in parts.items():
            (made / "splits" / f"{name}.txt").write_text("\n".join(own), encoding="utf-8")
        with suppress(OSError):  # Another command was faster.
            made.rename(folder)
    return folder


def variants(levers: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """The words of every run beside those of the base, by its name."""
    kept = [name for name, lever in levers.items() if lever.get("kept")]

    def words_of(names: Sequence[str]) -> list[str]:
        return [word for name in names for word in levers[name]["words"]]

    found = {BASE: [], **{f"+ {name}": words_of([name]) for name in levers}}
    if len(kept) > 1:
        found[TOGETHER] = words_of(kept)
        for name in kept:
            found[f"{TOGETHER} − {name}"] = words_of([other for other in kept if other != name])
    return found


def stage_folders(words: Sequence[str], work_dir: Path) -> dict[str, Path]:
    """Run the pipeline, what is finished excepted, and return the folders of its stages."""
    work_dir.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="run_", dir=work_dir) as record:  # Others may run beside.
        own = [f"work_dir={work_dir}", f"hydra.run.dir={record}"]
        command = [sys.executable, "-m", "wsss", "run", *own, *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        stages = read_json(Path(record) / "run.json")["stages"]
        return {name: (Path(record) / place).resolve() for name, place in stages.items()}


def scores(words: Sequence[str], work_dir: Path) -> dict[str, float]:
    """Run the pipeline, and read what its evaluation found and how long its stages took."""
    folders = stage_folders(words, work_dir)
    subjects = read_json(folders["evaluate"] / "metrics.json")["subjects"]
    found = {name: subjects[name]["miou"] for name in SUBJECTS if name in subjects}
    manifests = [json.loads((one / "manifest.json").read_text()) for one in folders.values()]
    return {**found, "minutes": sum(one["wall_time_s"] for one in manifests) / 60}


def summed_up(runs: Mapping[str, Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of every number over seeds."""
    names = list(dict.fromkeys(name for one in runs.values() for name in one))
    values = {name: [one[name] for one in runs.values() if name in one] for name in names}
    return {name: (mean(own), stdev(own) if len(own) > 1 else 0.0) for name, own in values.items()}


def shown(results: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """Print the table of all runs so far."""
    rows = []
    for name, runs in results.items():
        found = summed_up(runs)
        cells = [
            f"{found[one][0]:.4f}" + (f" ± {found[one][1]:.4f}" if len(runs) > 1 else "")
            if one in found
            else ""
            for one in SUBJECTS
        ]
        rows.append([name, *cells, f"{found['minutes'][0]:.1f}"])
    head = ["oracle: held-out images", *SUBJECTS, "minutes"]
    rich.print(table("Levers", head, rows))


def main() -> int:
    """Run, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, help="a folder data set with splits/train.txt; that of `base`")
    add("--levers", type=Path, required=True, help="a YAML file: base and levers")
    add("--seeds", type=int, nargs="+", default=[0])
    add("--only", nargs="*", help="names of runs; all")
    add("--work-dir", type=Path, default=Path("runs/levers"))
    add("--output", type=Path, default=Path("runs/benchmark_levers.json"))
    arguments = parser.parse_args()
    asked: Any = OmegaConf.to_container(OmegaConf.load(arguments.levers))
    base = asked["base"]
    if arguments.data:
        data = held_out(arguments.data.absolute(), arguments.work_dir.absolute() / "held_out")
        base = ["data=folder", f"data.root={data}", *base]
    known = read_json(arguments.output)["runs"] if arguments.output.is_file() else {}
    results: dict[str, dict[str, dict[str, float]]] = {}
    for name, words in variants(asked["levers"]).items():
        if arguments.only and name not in arguments.only:
            continue
        for seed in arguments.seeds:
            all_words = [*base, *words, f"seed={seed}"]
            before = known.get(name, {}).get(str(seed), {})
            done = before.get("words") == all_words
            found = before["scores"] if done else scores(all_words, arguments.work_dir)
            results.setdefault(name, {})[str(seed)] = found
            known.setdefault(name, {})[str(seed)] = {"words": all_words, "scores": found}
            content = {"oracle": True, "environment": described("cpu"), "runs": known}
            write_json(arguments.output, content)
    shown(results)
    print(f"Written: {arguments.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
