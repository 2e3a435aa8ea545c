"""What a stage costs on the last images of many, the others' results being copies.

A hundred thousand images take hours. Generated ones are few pictures in turn: results of a smaller
data set stand for those of images with the same picture, so that a run finds them finished.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scale_benchmark.commands import measured
from scale_benchmark.generated_images import DRAWINGS
from scale_benchmark.stages import CHECK, SMALL, common_words, row
from wsss.artifacts import MANIFEST
from wsss.data.source import TRAIN, Source
from wsss.pipeline import data_check
from wsss.pipeline.check_command import check_folder
from wsss.pipeline.device_choice import on_this_machine
from wsss.pipeline.fingerprints import common_basis, make_plans, stage_configs
from wsss.settings.build import build
from wsss.settings.compose import compose

RESULTS = {"localize": ("seeds/{}.npz",), "refine": ("masks/{}.png", "statistics/{}.json")}
"""Files of an image, by stage."""


def costs_of_last(
    data: Path,
    smaller: Path,
    count: int,
    last: int,
    work_dirs: tuple[Path, Path],
    workers: int,
) -> Iterator[dict[str, Any]]:
    """The cost of the check on all images, and of `RESULTS`' stages on the last ones.

    Each stage runs three times: with the last images to compute, with none to compute but nothing
    said to be finished, and finished. The cost is the difference of the first two, for each image
    of the data set, whose validation images these stages leave out.

    Args:
        data: the data set.
        smaller: one whose stages have run.
        count: images of the data set.
        last: training images that are computed.
        work_dirs: of both.
        workers: processes.
    """
    words = common_words(data, work_dirs[0], workers)
    yield row(CHECK, count, *(measured([CHECK, *words]) for _ in range(2)))
    words += SMALL
    source, folders = _folders(words)
    donor, donor_folders = _folders([*common_words(smaller, work_dirs[1], workers), *SMALL])
    _copy_folder(donor_folders["classify"], folders["classify"])
    training = len(source.items(TRAIN))
    computed = min(last, training)
    for stage, files in RESULTS.items():
        copy_results(donor, donor_folders[stage], source, folders[stage], files, last)
        run = ["run", *words, f"stages=[{stage}]"]
        first = measured(run)
        (folders[stage] / MANIFEST).unlink()
        resumed, again = measured(run), measured(run)
        yield {
            **row(stage, count, first, again),
            "cpu_ms_an_image": round(
                training / count * 1000 * (first.cpu_s - resumed.cpu_s) / computed, 3
            ),
            "computed": computed,
            "resumed": asdict(resumed),
        }


def _folders(words: Sequence[str]) -> tuple[Source, dict[str, Path]]:
    """The data set of settings, and the folder of each stage."""
    cfg = on_this_machine(compose("run", words))
    source: Source = build(cfg.data)
    report = data_check.report(source, check_folder(cfg, source), cfg.max_failed_fraction)
    configs = stage_configs(cfg)
    shared = common_basis(cfg.seed, dict(cfg.trainer), report.unusable, cfg.tf32)
    plans = make_plans(configs, [*configs], Path(cfg.work_dir), shared, source)
    return source, {stage: plan.folder for stage, plan in plans.items()}


def _copy_folder(source: Path, target: Path) -> None:
    """A finished stage without what it wrote for each image."""
    shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("features"))


def copy_results(
    donor: Source,
    donor_folder: Path,
    source: Source,
    folder: Path,
    files: Sequence[str],
    last: int,
) -> None:
    """Link the files of all training images but the last ones to those of the same picture."""
    by_picture: dict[int, list[str]] = {}
    for item in donor.items(TRAIN):
        by_picture.setdefault(int(item.id) % DRAWINGS, []).append(item.file_stem)
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    for item in source.items(TRAIN)[:-last]:
        alike = by_picture[int(item.id) % DRAWINGS]
        stem = alike[int(item.id) % len(alike)]
        for name in files:
            os.link(donor_folder / name.format(stem), folder / name.format(item.file_stem))
