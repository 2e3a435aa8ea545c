#!/usr/bin/env python3
"""Seeds and pseudo masks of methods whose networks are trained here, beside CAM's.

Usage:
    python scripts/benchmark_trained_networks.py --runs scripts/trained_networks/embedded.yaml
    python scripts/benchmark_trained_networks.py --runs … --groups "Vision GNN" --set workers=0
    python scripts/benchmark_trained_networks.py --runs … --data <voc2010_coseg>

A file of runs has `base`, the words of all of them, and `groups`; a group has words of its own and
`runs`, the words of each by its name:

    base: [experiment=demo, refine=crf, "stages=[classify,reactivate,localize,refine,evaluate]"]
    groups:
      transformer:
        words: [backbone=vit_mini]
        runs: {CAM: [cam=cam], AD-CAM: [cam=ad_cam, cam.attention_network=null]}

Lists in lists of words are flattened, so that runs can share some by YAML's `&name` and `*name`.
Masks of the training images are opened to score; the seeds' best threshold is chosen by them
(`oracle`). In brackets are 95 % intervals over the images, those of the best threshold with the
threshold held. Runs share a work folder: what several need is computed once, and what was
interrupted goes on with the same command. Prints a table and writes JSON after every run.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark_levers import stage_folders
from gpu_benchmark.environment import described
from gpu_benchmark.parts import make_console, table
from omegaconf import OmegaConf

from wsss.artifacts import Manifest, read_json, write_json
from wsss.metrics.bootstrap import interval, resampled
from wsss.metrics.overlaps import mean_iou_of_overlaps
from wsss.stage_tools.image_counts import IMAGE_COUNTS, dense, read_image_counts

TRAINERS = ("classify", "reactivate")
"""Stages that train the classifier, the later one last."""
SUBJECTS = ("seeds_oracle", "seeds", "pseudo_masks")
COLUMNS = {
    "val_map": "tag mAP",
    "steps": "steps",
    "reactivation_loss": "second loss",
    "seeds_oracle": "seeds, best τ (oracle)",
    "threshold": "τ",
    "seeds": "seeds, default τ",
    "pseudo_masks": "pseudo masks",
    "minutes": "minutes",
}
"""Numbers of a run, with their headings."""


def words_of(asked: Mapping[str, Any]) -> dict[str, dict[str, list[str]]]:
    """The words of every run, by its group and its name."""
    return {
        group: {
            name: flat([asked["base"], content.get("words", []), own])
            for name, own in content["runs"].items()
        }
        for group, content in asked["groups"].items()
    }


def flat(words: str | Sequence[Any]) -> list[str]:
    """Words of lists in lists, such as those that a file names once for several runs."""
    return [words] if isinstance(words, str) else [one for part in words for one in flat(part)]


def numbers(folders: Mapping[str, Path]) -> dict[str, float]:
    """What the stages of a finished run found, in the words of `COLUMNS`.

    Args:
        folders: of its stages; `steps` are those of all that trained the classifier, tag mAP and
            losses those of the last of them.
    """
    manifests = {stage: Manifest.read(folder) for stage, folder in folders.items()}
    finished = {stage: one for stage, one in manifests.items() if one is not None}
    trained = [finished[stage] for stage in TRAINERS if stage in finished]
    losses = ("val_map", "train_loss", "reactivation_loss")
    found = {
        name: one.numbers[name] for one in trained for name in losses if name in one.numbers
    } | {"steps": sum(one.schedule["steps"] for one in trained)}
    subjects = read_json(folders["evaluate"] / "metrics.json")["subjects"]
    scores = {name: subjects[name]["miou"] for name in SUBJECTS}
    intervals = miou_intervals(folders["evaluate"])
    seconds = {stage: one.wall_time_s for stage, one in finished.items()}
    return {
        **found,
        **scores,
        **({"intervals": intervals} if intervals else {}),
        "threshold": subjects["seeds_oracle"]["threshold"],
        "minutes": sum(seconds.values()) / 60,
        **{f"{stage}_s": one for stage, one in seconds.items()},
    }


def miou_intervals(evaluate: Path) -> dict[str, list[float]]:
    """The 95 % interval of each subject's mIoU; none where an earlier version evaluated."""
    found = {}
    for name, counts in read_image_counts(evaluate / IMAGE_COUNTS).items():
        if name in SUBJECTS and counts.images:
            num_labels = 1 + int(counts.overlaps[:, 1].max(initial=0))
            every = dense(counts.overlaps, len(counts.images), num_labels)
            draws = resampled(
                every.reshape(len(every), -1),
                lambda sums, shape=every.shape[1:]: mean_iou_of_overlaps(sums.reshape(-1, *shape)),
            )
            found[name] = [float(end) for end in interval(draws)]
    return found


def shown(results: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """Print a table of every group."""
    for group, runs in results.items():
        rows = [
            [name, *(cell_of(run["numbers"], column) for column in COLUMNS)]
            for name, run in runs.items()
        ]
        make_console().print(table(group, ["", *COLUMNS.values()], rows))


def cell_of(found: Mapping[str, Any], column: str) -> str:
    """A number of a run with its interval, where it has one."""
    ends = found.get("intervals", {}).get(column)
    return cell(found.get(column)) + (f" ({ends[0]:.3f}–{ends[1]:.3f})" if ends else "")


def cell(number: float | None) -> str:
    """A number as the table has it; empty where a run has none."""
    if number is None:
        return ""
    return str(number) if isinstance(number, int) else f"{number:.3f}"


def main() -> int:
    """Run, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--runs", type=Path, required=True, help="a YAML file: base and groups")
    add("--data", type=Path, help="the folder data set that the runs are for, if they are for one")
    add("--groups", nargs="+", help="names of groups; all")
    add("--set", nargs="+", default=[], metavar="KEY=VALUE", help="words of every run")
    add("--work-dir", type=Path, default=Path("runs/trained_networks"))
    add("--output", type=Path, help="the work folder's name with .json")
    arguments = parser.parse_args()
    asked: Any = OmegaConf.to_container(OmegaConf.load(arguments.runs))
    groups = words_of(asked)
    if unknown := {*(arguments.groups or ())} - {*groups}:
        parser.error(f"no group {', '.join(sorted(unknown))}; there are {', '.join(groups)}")
    data = [f"data.root={arguments.data.absolute()}"] if arguments.data else []
    output = arguments.output or arguments.work_dir.with_suffix(".json")
    results = read_json(output)["groups"] if output.is_file() else {}
    for group in arguments.groups or groups:
        for name, words in groups[group].items():
            all_words = [*words, *data, *arguments.set]
            found = numbers(stage_folders(all_words, arguments.work_dir))
            results.setdefault(group, {})[name] = {"words": all_words, "numbers": found}
            content = {"oracle": True, "environment": described("cpu"), "groups": results}
            write_json(output, content)
    shown(results)
    print(f"Written: {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
