"""Score seeds, pseudo masks and segmenter against ground truth."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wsss.argument_checks import check_whole
from wsss.artifacts import LabelStore, Manifest, SeedStore, write_json, write_json_rows
from wsss.data.item_table import select
from wsss.data.pyramids import Scales
from wsss.data.sample import Item
from wsss.data.source import TRAIN, VAL
from wsss.errors import inside
from wsss.models.saved_networks import load_segmenter
from wsss.refine.dense_crf.engine import DenseCrfEngine
from wsss.report.confusions import CONFUSIONS, write_confusions
from wsss.report.gallery_choice import choose_gallery, sample_gallery
from wsss.stage_tools.context import Context
from wsss.stage_tools.image_counts import (
    IMAGE_COUNTS,
    ImageCounts,
    image_counts,
    write_image_counts,
)
from wsss.stage_tools.predictions.predict_split import predict_split
from wsss.stage_tools.progress import track
from wsss.stage_tools.scoring import (
    SUBJECT_LABELS,
    CountStore,
    ScoreTrainItem,
    boundary_and_calibration,
    image_scores,
    share_of_exact_masks,
    summarise,
    total_counts,
    without_class,
)
from wsss.stage_tools.worker_pool import check_failures, process_items

log = logging.getLogger(__name__)

VERSION = 6
INPUTS = ("localize", "propagate", "probe", "refine", "segment")
OPTIONAL_INPUTS = ("propagate", "probe", "segment")
SPLITS = (TRAIN, VAL)
READS_MASKS = True
KEY_NUMBER = "segmenter_miou"

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 19))
"""Background thresholds of the oracle curve."""

SEEDS = {"seeds": "localize", "propagated_seeds": "propagate", "probed_seeds": "probe"}
"""Kinds of seeds, and the stages they come from."""

EVEN_ODDS = {"probed_seeds": 0.5}
"""The fixed threshold of seeds that are probabilities: any other would favour one side."""

MAY_BE_GIVEN = {
    "seeds_oracle": "localize",
    "seeds": "localize",
    "pseudo_masks": "refine",
}
"""Subjects that a user may give, and the stages in whose place they are."""

MADE_BY = {"pseudo_masks": "refine", "segmenter": "segment", "segmenter_tta_crf": "segment"}
"""The stages whose results the subjects after the seeds are."""

TOO_GOOD = 0.1
"""Given masks of which a larger share equals the ground truth were not made without it."""


def check(
    context: Context, *, crf: DenseCrfEngine | None = None, batch_size: int = 8, **_: Any
) -> None:
    """Refuse a CRF that cannot work here, if a segmenter will be evaluated.

    Raises:
        WsssError: names the setting.
    """
    check_whole(1, batch_size=batch_size)
    if crf is not None and "segment" in context.inputs:
        with inside("crf"):
            crf.check()


def run(
    context: Context,
    *,
    seed_threshold: float,
    scales: Scales,
    flip: bool = True,
    crf: DenseCrfEngine | None = None,
    batch_size: int = 8,
    gallery_images: int = 5,
) -> dict[str, float]:
    """Predict the validation split, and score every artefact that has ground truth.

    Without masks everything is predicted and nothing scored. Scores at a threshold chosen by masks
    are stamped `oracle`, and so are given pseudo masks that equal the ground truth, with all that
    learnt from them. What came of weights that were trained with masks is marked `saw masks`.

    Args:
        context: data, folders, processes; a missing `segment` input leaves the segmenter out,
            missing `localize`, `propagate` and `probe` the seeds of these stages.
        seed_threshold: background threshold of the seeds, fixed beforehand; that of a probe's,
            which are probabilities, is 0.5.
        scales: the first is the single scale; all of them are averaged for the second prediction.
        flip: average mirror images, too.
        crf: applied to the averaged probabilities; None leaves it out.
        batch_size: images a forward pass.
        gallery_images: images of each group (best, median, worst) that the report will show.

    Returns:
        `<subject>_miou` of every subject, in [0, 1]; of pseudo masks and predictions also
        `<subject>_boundary_miou`, and of the single scale `segmenter_ece`, the expected calibration
        error. Details are in `metrics.json`, the pixels by true and predicted label in
        `confusions.npz`, and what each image adds to the scores in `image_counts.npz`.
    """
    train, val = context.items(TRAIN), context.items(VAL)
    counts = {split: CountStore(context.folder / "counts" / split) for split in (TRAIN, VAL)}
    _score_train(context, train, counts[TRAIN], seed_threshold)
    context.fabric.barrier()
    gallery = {TRAIN: _gallery(train, counts[TRAIN], "pseudo_masks", gallery_images)}
    if "segment" in context.inputs:
        shown = {item_id for group in gallery[TRAIN].values() for item_id in group}
        tasks = ((TRAIN, select(train, lambda item: item.id in shown)), (VAL, val))
        model, _ = load_segmenter(context.inputs["segment"])
        for split, items in tasks:
            store = CountStore(context.folder / "counts" / f"{split}_predictions")
            predict_split(
                context, model, split, items, store, scales, flip, crf, batch_size, in_detail=True
            )
            counts[VAL] = store
        context.fabric.barrier()
    check_failures(context, len(train) + len(val))
    if not context.is_main:
        return {}
    gallery[VAL] = _gallery(val, counts[VAL], "segmenter", gallery_images)
    subjects, curves, matrices = _subjects(context, counts, train, val, seed_threshold)
    names = list(context.source.class_names)
    metrics = {"class_names": names, "subjects": subjects, "oracle_curves": curves}
    write_json(context.folder / "metrics.json", metrics)
    write_confusions(context.folder / CONFUSIONS, matrices)
    added: dict[str, ImageCounts] = {}
    for split, items in ((TRAIN, train), (VAL, val)):
        own = {name: one for name, one in subjects.items() if one["split"] == split}
        added |= image_counts(counts[split], items, {name: _counted_as(own, name) for name in own})
    write_image_counts(context.folder / IMAGE_COUNTS, added)
    empty = {
        split: len(without_class(counts[split], items))
        for split, items in ((TRAIN, train), (VAL, val))
    }
    write_json(context.folder / "gallery.json", {**gallery, "without_class": empty})
    write_json_rows(
        context.folder / "images.json",
        {
            TRAIN: image_scores(counts[TRAIN], train, ("pseudo_masks",)),
            VAL: image_scores(counts[VAL], val, ("segmenter", "segmenter_tta_crf")),
        },
    )
    return {
        number: value
        for name, subject in subjects.items()
        for number, value in (
            (f"{name}_miou", subject["miou"]),
            (f"{name}_boundary_miou", subject.get("boundary_miou")),
            (f"{name}_ece", subject.get("calibration", {}).get("ece")),
        )
        if value is not None
    }


def _counted_as(subjects: Mapping[str, Mapping[str, Any]], name: str) -> tuple[str, int | None]:
    """What a subject's counts are called in a `CountStore`, and which of a stack they are."""
    kind = name.removesuffix("_oracle")
    if kind == name:
        return name, None
    return f"{kind}_curve", THRESHOLDS.index(subjects[name]["threshold"])


def _fixed_threshold(kind: str, seed_threshold: float) -> float:
    """The background threshold of a kind of seeds, in [0, 1], that no mask has chosen."""
    return EVEN_ODDS.get(kind, seed_threshold)


def _manifest(context: Context, stage: str) -> Manifest | None:
    """The record of an input; None where there is no such stage in the run."""
    return Manifest.read(context.inputs[stage]) if stage in context.inputs else None


def _named(context: Context, name: str) -> dict[str, Any]:
    """What a subject is called: whether it was given, or came of weights that saw masks."""
    giver = _manifest(context, MAY_BE_GIVEN.get(name, ""))
    maker = _manifest(context, MADE_BY.get(name, ""))
    given = "given " if giver is not None and giver.is_given else ""
    mark = maker.mark if maker is not None else ""
    return {"label": f"{given}{SUBJECT_LABELS[name]}{mark}", "saw_masks": bool(mark)}


def _score_train(
    context: Context, items: Sequence[Item], counts: CountStore, seed_threshold: float
) -> None:
    seeds = {
        name: SeedStore(context.inputs[stage] / "seeds")
        for name, stage in SEEDS.items()
        if stage in context.inputs
    }
    masks = LabelStore(context.inputs["refine"] / "masks")
    fixed = {name: _fixed_threshold(name, seed_threshold) for name in seeds}
    task = ScoreTrainItem(context.source.reader, counts, seeds, masks, THRESHOLDS, fixed)
    own = context.share(items)
    pending = select(own, lambda item: not counts.has(item))
    calls = ((item,) for item in pending)
    scored = process_items(task, calls, context.workers, context.folder, context.measured)
    done = len(own) - len(pending)
    for _ in track(scored, len(own), "score seeds and masks", done, visible=context.is_main):
        pass


def _gallery(
    items: Sequence[Item], counts: CountStore, subject: str, per_group: int
) -> dict[str, list[str]]:
    """Best, median and worst ids among images that show a class; an even sample without scores."""
    empty = without_class(counts, items)
    scores = {
        item_id: own[subject]
        for item_id, own in image_scores(counts, items, (subject,))
        if own and item_id not in empty
    }
    if scores:
        return choose_gallery(scores, per_group)
    return {
        name: [item.id for item in shown]
        for name, shown in sample_gallery(items, 3 * per_group).items()
    }


def _subjects(
    context: Context,
    counts: dict[str, CountStore],
    train: Sequence[Item],
    val: Sequence[Item],
    seed_threshold: float,
) -> tuple[dict[str, Any], dict[str, list[dict[str, float]]], dict[str, np.ndarray]]:
    """Scores of every subject, curves of the seeds' scores over thresholds (oracle), and counts."""
    totals = {TRAIN: total_counts(counts[TRAIN], train), VAL: total_counts(counts[VAL], val)}
    curves: dict[str, list[dict[str, float]]] = {}
    found: dict[str, tuple[str, np.ndarray, dict[str, Any]]] = {}
    for kind in SEEDS:
        if f"{kind}_curve" not in totals[TRAIN]:
            continue
        matrices = totals[TRAIN][f"{kind}_curve"]
        by_threshold = [summarise(matrix)["miou"] for matrix in matrices]
        curves[kind] = [
            {"threshold": threshold, "miou": miou}
            for threshold, miou in zip(THRESHOLDS, by_threshold, strict=True)
        ]
        best = int(np.nanargmax(by_threshold))
        oracle = {"threshold": THRESHOLDS[best], "oracle": True}
        found[f"{kind}_oracle"] = (TRAIN, matrices[best], oracle)
        fixed = {"threshold": _fixed_threshold(kind, seed_threshold)}
        found[kind] = (TRAIN, totals[TRAIN][kind], fixed)
    for split, name in ((TRAIN, "pseudo_masks"), (VAL, "segmenter"), (VAL, "segmenter_tta_crf")):
        if name in totals[split]:
            found[name] = (split, totals[split][name], {})
    refined = _manifest(context, "refine")
    is_given = refined is not None and refined.is_given
    copied = is_given and share_of_exact_masks(counts[TRAIN], train, "pseudo_masks") > TOO_GOOD
    if copied:
        log.warning(
            "given pseudo masks equal the ground truth: they and what learnt from them are oracle"
        )
    subjects = {
        name: {
            **_named(context, name),
            "split": split,
            "oracle": copied and name in MADE_BY,
            "num_images": int(totals[split]["images"]),
            **summarise(matrix),
            **boundary_and_calibration(totals[split], name),
            **more,
        }
        for name, (split, matrix, more) in found.items()
    }
    return subjects, curves, {name: matrix for name, (_, matrix, _) in found.items()}
