"""What is computed of a data set, step by step, and the checks that look at it."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from wsss.artifacts import atomic, fingerprint_of_rows
from wsss.auditing.audited_run import AuditedRun
from wsss.auditing.checks.background_evidence import background_evidence
from wsss.auditing.checks.fixed_position import fixed_positions
from wsss.auditing.checks.inseparable_classes import inseparable_classes
from wsss.auditing.checks.missing_tag import missing_tags
from wsss.auditing.checks.near_duplicate import alike, near_duplicates
from wsss.auditing.checks.tag_table import TagTable
from wsss.auditing.checks.wrong_tag import wrong_tags
from wsss.auditing.finding import KINDS, CheckResult
from wsss.auditing.finding_pictures import EVIDENCE
from wsss.auditing.folds import folds_of, groups_of
from wsss.auditing.image_arrays import (
    best_cells,
    pooled_features,
    tag_table,
    thumbnails_and_parts,
)
from wsss.auditing.kept_maps import keep_maps
from wsss.auditing.logistic_heads import (
    PENALTIES,
    ROUNDS,
    best_cell_logits,
    out_of_fold,
)
from wsss.auditing.looks import LookStore, LookTask
from wsss.auditing.seen_images import Eyes, SeenStore, see
from wsss.data.item_table import joined, select
from wsss.data.source import SPLITS
from wsss.errors import user_error
from wsss.stage_tools.context import Context
from wsss.stage_tools.item_files import write_item_files
from wsss.stage_tools.progress import Report, reporting
from wsss.stage_tools.trained_classifier import trained_classifier
from wsss.wording import plural

LISTED = 0.1
"""Share of the images that a list of findings goes to, at least."""
OUT_OF_FOLD = "out_of_fold.npz"


@dataclass(frozen=True, slots=True)
class Examined:
    """The results of all checks."""

    checks: Mapping[str, CheckResult]
    splits: Mapping[str, int]
    """Number of examined images of each split."""


def examine(context: Context, run: AuditedRun, folder: Path, num_folds: int, seed: int) -> Examined:
    """Look at every image, and run all checks.

    Args:
        context: data, processes, and the folder of what is computed of each image.
        run: what is audited.
        folder: of the results: takes the evidence.
        num_folds: parts of the data set.
        seed: of the parts.

    Raises:
        WsssError: too many images failed, or too few are left.
    """
    model = trained_classifier(context)
    looks = LookStore(context.folder / "looks")
    everything = joined(*(context.items(split) for split in SPLITS))
    split_of = {item.id: split for split in SPLITS for item in context.items(split)}
    task = LookTask(context.source.reader, looks)
    write_item_files(
        context, everything, looks, task, lambda items: ((one,) for one in items), "look at pixels"
    )
    readable = select(everything, looks.has)
    items, views = pooled_features(context, run, model, readable)
    _check_enough(context, len(items), num_folds)
    ids, splits = [one.id for one in items], [split_of[one.id] for one in items]
    tags, names = context.source.tag_matrix(items), context.source.class_names
    most = ceil(LISTED * len(items))
    checks: dict[str, CheckResult] = {}

    thumbnails, parts = thumbnails_and_parts(looks, items, context.folder / "parts.npy")
    with reporting(len(items), "near-duplicates", unit="image") as report:
        compared = _Counter(report)
        pairs = alike(thumbnails, compared)
    groups = groups_of(len(items), [(one.first, one.second) for one in pairs if one.is_same])
    folds = folds_of(groups, num_folds, seed)
    _check_folds(context, folds, num_folds)
    checks["near_duplicate"] = near_duplicates(pairs, ids, splits, names, tags, most)
    with reporting(len(names), "stamps", unit="class") as report:
        done = _Counter(report)
        checks["fixed_position"] = fixed_positions(
            parts, groups, ids, splits, names, tags, most, lambda: done(1)
        )
    with reporting(
        num_folds * len(PENALTIES), "probabilities out of fold", unit="training"
    ) as told:
        trained = _Counter(told)
        found = out_of_fold(views, tags, folds, advance=lambda: trained(1))
    share = (tags.sum(axis=0) + 1) / (len(tags) + 2)
    heads = {item_id: found.heads[fold] for item_id, fold in zip(ids, folds, strict=True)}
    seen = _seen_store(context.folder / "seen", ids, folds)
    see(context, model, items, Eyes(heads, np.log(share / (1 - share)), run.pseudo_masks), seen)
    kept = [row for row, item in enumerate(items) if seen.has(item)]
    _check_folds(context, folds[kept], num_folds)
    looked = [items[row] for row in kept]
    best = best_cells(seen, looked, context.folder / "best_cells.npy")
    with reporting(
        ROUNDS * num_folds * len(names), "best cells out of fold", unit="training"
    ) as told:
        trained = _Counter(told)
        logits = best_cell_logits(best, tags[kept], folds[kept], found.penalty, lambda: trained(1))
    looked_splits = [splits[row] for row in kept]
    table, overlaps = tag_table(
        looked, looked_splits, names, tags[kept], found.probabilities[kept], logits, seen
    )
    _write_out_of_fold(folder / EVIDENCE / OUT_OF_FOLD, table, folds[kept])
    checks["wrong_tag"] = wrong_tags(table, most)
    checks["missing_tag"] = missing_tags(table, most)
    checks["inseparable_classes"] = inseparable_classes(table.tags, names, overlaps, most)
    checks["background_evidence"] = background_evidence(table, most)
    checks = {kind: checks[kind] for kind in KINDS}
    keep_maps(folder / EVIDENCE, checks, items, seen, names)
    return Examined(checks, {split: looked_splits.count(split) for split in SPLITS})


class _Counter:
    """Adds up steps for a progress bar."""

    def __init__(self, report: Report) -> None:
        self.report, self.done = report, 0

    def __call__(self, steps: int) -> None:
        self.done += steps
        self.report(self.done, "")


def _check_enough(context: Context, count: int, num_folds: int) -> None:
    if count < 2 * num_folds:
        raise user_error(
            f"folds={num_folds}", f"{count} readable images of {context.source.name}",
            "two images a fold at least", "Use fewer folds, or more images.",
        )  # fmt: skip


def _check_folds(context: Context, folds: Int64[np.ndarray, " n"], num_folds: int) -> None:
    """Refuse folds without images: near-duplicates stay together, so that one may take them all."""
    count = len(np.unique(folds))
    if count < num_folds:
        raise user_error(
            f"folds={num_folds}",
            f"{plural(len(folds), 'readable image')} of {context.source.name} that are so much "
            f"alike that they make {plural(count, 'fold')} only: near-duplicates stay together",
            "as many different pictures as folds at least",
            "Use fewer folds, two at least; images of a camera that does not move are one picture.",
        )


def _seen_store(folder: Path, ids: Sequence[str], folds: Int64[np.ndarray, " n"]) -> SeenStore:
    """Where what is seen by the heads of these folds is kept; what others saw is removed.

    An image that could not be read in a call that was killed, and can be in the next, changes the
    folds and so all heads.
    """
    rows = ([item_id, int(fold)] for item_id, fold in zip(ids, folds, strict=True))
    own = folder / fingerprint_of_rows("folds", rows, None)
    for other in folder.glob("*"):
        if other.name != own.name:
            shutil.rmtree(other, ignore_errors=True)
    return SeenStore(own)


def _write_out_of_fold(path: Path, table: TagTable, folds: Int64[np.ndarray, " n"]) -> None:
    """Write the probabilities, for other programs."""
    with atomic(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(
            stream,
            ids=np.array(table.ids),
            splits=np.array(table.splits),
            class_names=np.array(table.class_names),
            tags=table.tags,
            folds=folds,
            probabilities=table.probabilities,
            best_cells=table.best_cells.astype(np.float32),
        )
