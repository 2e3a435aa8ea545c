"""What is computed of a data set, step by step, and the checks that look at it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import ceil
from pathlib import Path
from typing import cast

import numpy as np
from jaxtyping import Float, Int64

from wsss.artifacts import atomic
from wsss.auditing.audited_run import AuditedRun
from wsss.auditing.checks.background_evidence import background_evidence
from wsss.auditing.checks.fixed_position import fixed_positions
from wsss.auditing.checks.inseparable_classes import inseparable_classes
from wsss.auditing.checks.missing_tag import missing_tags
from wsss.auditing.checks.near_duplicate import alike, near_duplicates
from wsss.auditing.checks.shared_part import Parts
from wsss.auditing.checks.tag_table import TagTable
from wsss.auditing.checks.wrong_tag import wrong_tags
from wsss.auditing.disk_arrays import on_disk
from wsss.auditing.finding import KINDS, CheckResult, Finding
from wsss.auditing.finding_pictures import EVIDENCE
from wsss.auditing.folds import folds_of, groups_of
from wsss.auditing.logistic_heads import (
    PENALTIES,
    ROUNDS,
    OutOfFold,
    best_cell_logits,
    out_of_fold,
    sigmoid,
)
from wsss.auditing.looks import ANCHORS, CELLS, LookStore, LookTask
from wsss.auditing.map_shapes import overlap
from wsss.auditing.seen_images import Eyes, SeenStore, see
from wsss.data.item_table import joined, select
from wsss.data.pyramids import Scales
from wsss.data.sample import Item
from wsss.data.source import SPLITS
from wsss.errors import user_error
from wsss.models import Backbone, SplitClassifier
from wsss.stage_tools.context import Context
from wsss.stage_tools.item_files import write_item_files
from wsss.stage_tools.pooled_features import features_path, store_pooled_features
from wsss.stage_tools.progress import Report, reporting, track
from wsss.stage_tools.trained_classifier import trained_classifier

VIEWS = 2
"""Of pooled features: the image and its mirror image."""
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
    looks, seen = LookStore(context.folder / "looks"), SeenStore(context.folder / "seen")
    everything = joined(*(context.items(split) for split in SPLITS))
    split_of = {item.id: split for split in SPLITS for item in context.items(split)}
    task = LookTask(context.source.reader, looks)
    write_item_files(
        context, everything, looks, task, lambda items: ((one,) for one in items), "look at pixels"
    )
    readable = select(everything, looks.has)
    items, views = _pooled(context, run, model, readable)
    _check_enough(context, len(items), num_folds)
    ids, splits = [one.id for one in items], [split_of[one.id] for one in items]
    tags, names = context.source.tag_matrix(items), context.source.class_names
    most = ceil(LISTED * len(items))
    checks: dict[str, CheckResult] = {}

    thumbnails, parts = _looks(looks, items, context.folder / "parts.npy")
    with reporting(len(items), "near-duplicates", unit="image") as report:
        compared = _Counter(report)
        pairs = alike(thumbnails, compared)
    groups = groups_of(len(items), [(one.first, one.second) for one in pairs if one.is_same])
    checks["near_duplicate"] = near_duplicates(pairs, ids, splits, names, tags, most)
    with reporting(len(names), "stamps", unit="class") as report:
        done = _Counter(report)
        checks["fixed_position"] = fixed_positions(
            parts, groups, ids, splits, names, tags, most, lambda: done(1)
        )
    folds = folds_of(groups, num_folds, seed)
    with reporting(
        num_folds * len(PENALTIES), "probabilities out of fold", unit="training"
    ) as told:
        trained = _Counter(told)
        found = out_of_fold(views, tags, folds, advance=lambda: trained(1))
    _write_out_of_fold(folder / EVIDENCE / OUT_OF_FOLD, ids, splits, names, tags, folds, found)

    share = (tags.sum(axis=0) + 1) / (len(tags) + 2)
    heads = {item_id: found.heads[fold] for item_id, fold in zip(ids, folds, strict=True)}
    see(context, model, items, Eyes(heads, np.log(share / (1 - share)), run.pseudo_masks), seen)
    kept = [row for row, item in enumerate(items) if seen.has(item)]
    _check_enough(context, len(kept), num_folds)
    looked = [items[row] for row in kept]
    best = _best_cells(seen, looked, context.folder / "best_cells.npy")
    with reporting(
        ROUNDS * num_folds * len(names), "best cells out of fold", unit="training"
    ) as told:
        trained = _Counter(told)
        logits = best_cell_logits(best, tags[kept], folds[kept], found.penalty, lambda: trained(1))
    table, overlaps = _table(
        looked, [splits[row] for row in kept], names, tags[kept], found.probabilities[kept],
        logits, seen,
    )  # fmt: skip
    checks["wrong_tag"] = wrong_tags(table, most)
    checks["missing_tag"] = missing_tags(table, most)
    checks["inseparable_classes"] = inseparable_classes(table.tags, names, overlaps, most)
    checks["background_evidence"] = background_evidence(table, most)
    checks = {kind: checks[kind] for kind in KINDS}
    _keep_maps(folder / EVIDENCE, checks, items, seen, names)
    return Examined(checks, {split: splits.count(split) for split in SPLITS})


class _Counter:
    """Adds up steps for a progress bar."""

    def __init__(self, report: Report) -> None:
        self.report, self.done = report, 0

    def __call__(self, steps: int) -> None:
        self.done += steps
        self.report(self.done, "")


def _pooled(
    context: Context, run: AuditedRun, model: SplitClassifier, items: Sequence[Item]
) -> tuple[Sequence[Item], Float[np.ndarray, "n v k"]]:
    """Pooled features of all images that have them: the run's, or else computed here."""
    folder = run.stored_features
    if folder is None or not all(features_path(folder, item).is_file() for item in items):
        folder = context.folder / "pooled"
        backbone = cast("Backbone", model.features)
        scales = Scales(multiple_px=backbone.output_stride)
        store_pooled_features(context, backbone, items, scales, 0, folder)
    there = select(items, lambda item: features_path(folder, item).is_file())
    views = [
        np.load(features_path(folder, item), allow_pickle=False, mmap_mode="r")[:VIEWS].copy()
        for item in track(there, len(there), "features", visible=context.is_main)
    ]
    return there, np.stack(views) if views else np.zeros((0, VIEWS, 0), np.float32)


def _check_enough(context: Context, count: int, num_folds: int) -> None:
    if count < 2 * num_folds:
        raise user_error(
            f"folds={num_folds}", f"{count} readable images of {context.source.name}",
            "two images a fold at least", "Use fewer folds, or more images.",
        )  # fmt: skip


def _looks(store: LookStore, items: Sequence[Item], path: Path) -> tuple[np.ndarray, Parts]:
    """Thumbnails of all images, and their parts."""
    thumbnails, sizes = [], []

    def parts() -> Iterator[np.ndarray]:
        for item in items:
            look = store.read(item)
            thumbnails.append(look.thumbnail)
            sizes.append(look.size)
            yield look.parts

    grey = on_disk(path, (len(items), len(ANCHORS), CELLS, CELLS), "|u1", parts())
    return np.stack(thumbnails), Parts(grey, np.array(sizes, dtype=np.int64))


def _best_cells(store: SeenStore, items: Sequence[Item], path: Path) -> np.ndarray:
    """Features of the best cells of every image and class."""
    shape = store.read(items[0]).best.shape
    return on_disk(path, (len(items), *shape), "<f2", (store.read(item).best for item in items))


def _table(
    items: Sequence[Item],
    splits: Sequence[str],
    names: tuple[str, ...],
    tags: np.ndarray,
    probabilities: Float[np.ndarray, "n c"],
    logits: Float[np.ndarray, "n c"],
    store: SeenStore,
) -> tuple[TagTable, dict[tuple[int, int], float]]:
    """What is seen in all images, and the mean overlap of the maps of classes that are together."""
    rows, overlaps = [], defaultdict(list)
    for item in items:
        seen = store.read(item)
        maps = dict(zip(seen.classes.tolist(), seen.maps.astype(np.float32), strict=True))
        for first, second in combinations([label - 1 for label in item.labels], 2):
            overlaps[first, second].append(overlap(maps[first], maps[second]))
        rows.append(
            replace(seen, maps=seen.maps[:0], best=seen.best[:0])
        )  # They would fill memory.
    columns = {
        name: np.stack([getattr(one, name) for one in rows]).astype(np.float64)
        for name in ("compactness", "erased", "filled", "outside")
    }
    table = TagTable(
        tuple(item.id for item in items),
        tuple(splits),
        names,
        tags,
        probabilities,
        best_cells=sigmoid(logits.astype(np.float64)),
        **columns,
    )
    return table, {pair: float(np.mean(some)) for pair, some in overlaps.items()}


def _keep_maps(
    folder: Path,
    checks: Mapping[str, CheckResult],
    items: Sequence[Item],
    store: SeenStore,
    names: tuple[str, ...],
) -> None:
    """Write the maps of images in flagged findings: their tags' and those of the findings."""
    wanted: dict[str, set[str]] = defaultdict(set)
    flagged = [one for check in checks.values() for one in check.findings if one.flagged]
    together = _together(checks["inseparable_classes"].findings, items, names)
    for finding in flagged:
        for image in _images_of(finding, together):
            wanted[image] |= {finding.label} if finding.label else set()
    for item in items:
        if item.id not in wanted or not store.has(item):
            continue
        seen = store.read(item)
        tags = {label - 1 for label in item.labels}
        kept = [
            row
            for row, one in enumerate(seen.classes.tolist())
            if one in tags or names[one] in wanted[item.id]
        ]
        path = folder / f"{item.file_stem}.npz"
        with atomic(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, maps=seen.maps[kept], classes=seen.classes[kept])


def _together(
    findings: Sequence[Finding], items: Sequence[Item], names: tuple[str, ...]
) -> dict[tuple[str | None, str | None], list[str]]:
    """The images that show each flagged pair of classes together."""
    found = {}
    for one in findings:
        if one.flagged:
            pair = {names.index(str(name)) + 1 for name in (one.label, one.other)}
            found[one.label, one.other] = [item.id for item in items if pair <= {*item.labels}]
    return found


def _images_of(
    finding: Finding, together: Mapping[tuple[str | None, str | None], list[str]]
) -> list[str]:
    if finding.kind == "inseparable_classes":
        return together[finding.label, finding.other]
    if finding.image is None:
        return [*finding.images]
    other = [finding.other] if finding.kind == "near_duplicate" and finding.other else []
    return [finding.image, *other]


def _write_out_of_fold(
    path: Path,
    ids: Sequence[str],
    splits: Sequence[str],
    names: Sequence[str],
    tags: np.ndarray,
    folds: Int64[np.ndarray, " n"],
    found: OutOfFold,
) -> None:
    """Write the probabilities, for other programs."""
    with atomic(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(
            stream,
            ids=np.array(ids),
            splits=np.array(splits),
            class_names=np.array(names),
            tags=tags,
            folds=folds,
            probabilities=found.probabilities,
        )
