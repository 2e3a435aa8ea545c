"""Write the report of a run: did it work, where does it fail, what next, pictures, what ran."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from wsss.argument_checks import check_whole
from wsss.artifacts import Manifest, atomic
from wsss.data.source import TRAIN, VAL
from wsss.report.audit_findings import find_audits, read_audit_findings
from wsss.report.bound import BOUNDS, WEAK
from wsss.report.co_occurrence import images_per_class, tag_pairs
from wsss.report.confusions import CONFUSIONS, Counts, read_confusions
from wsss.report.header import header
from wsss.report.page import render
from wsss.report.read_scores import (
    PROBED_SEEDS,
    PROPAGATED_SEEDS,
    PSEUDO_MASKS,
    SEEDS,
    SEGMENTER,
    Scores,
    joined,
    read_scores,
)
from wsss.report.results import TRUE_TRAIN_SHARE, TRUE_VAL_SHARE, Results
from wsss.report.sections import all_sections
from wsss.report.training_curves import read_curves
from wsss.stage_tools.context import Context
from wsss.stages import CHAIN
from wsss.stages.report.advice import all_advice
from wsss.stages.report.gallery import make_gallery
from wsss.stages.report.image_facts import read_facts
from wsss.stages.report.strips import write_strips

VERSION = 3
INPUTS = CHAIN[:-1]
OPTIONAL_INPUTS = INPUTS
SPLITS = (TRAIN, VAL)
READS_MASKS = True
HAS_NETWORKS = False
KEY_NUMBER = "gallery_images"

PIXEL_DENSITY = 1.5
"""Pixels of a picture for each pixel at which it is shown, for high-density screens."""

SEEDS_OF = {"cam": (SEEDS,), "refined_map": (PROPAGATED_SEEDS, PROBED_SEEDS)}
"""The subjects that tell a threshold of each kind of maps."""

EVEN_ODDS = 0.5
"""The threshold of a probe's maps, which are probabilities."""


def check(context: Context, *, page_images: int = 1000, **_: object) -> None:
    """Refuse a number of images that is none.

    Raises:
        WsssError: names the setting.
    """
    check_whole(0, page_images=page_images)


def files_beside(
    work_dir: Path, fingerprints: Mapping[str, str], data: Mapping[str, str]
) -> Sequence[Path]:
    """Files that the report reads besides those of its inputs: the first of a run's audits.

    Args:
        work_dir: parent of the stages' folders.
        fingerprints: of the report's inputs, by name.
        data: fingerprints of the data, by split.
    """
    return find_audits(work_dir, fingerprints, data)[:1]


def run(
    context: Context,
    *,
    page_images: int = 1000,
    gallery_images: int = 5,
    panel_height_px: int = 160,
    title: str | None = None,
) -> dict[str, float]:
    """Write `report.html`, which needs no other file, and rows of pictures as `panels/*.jpg`.

    Stages that did not run are left out of the report.

    Args:
        context: data, folders, processes; every input may be missing.
        page_images: images of both splits in the page's gallery at most; of more, half of the room
            is for the most doubtful, the rest for the others at even distances.
        gallery_images: images of each group (best, median, worst) of each split in `panels/`.
        panel_height_px: height at which these pictures are shown.
        title: heading of the page; the data set's name if None.

    Returns:
        `gallery_images` in the page's gallery, and `size_mb` of the page.
    """
    if not context.is_main:
        return {}
    inputs = context.inputs
    read = {stage: Manifest.read(inputs[stage]) for stage in INPUTS if stage in inputs}
    manifests = {stage: one for stage, one in read.items() if one is not None}
    scores = joined(read_scores(inputs[one]) for one in (WEAK, *BOUNDS) if one in inputs)
    confusions = read_confusions(inputs[WEAK] / CONFUSIONS) if WEAK in inputs else {}
    audits = files_beside(
        context.folder.parents[1],
        {stage: folder.name for stage, folder in inputs.items()},
        {split: context.source.fingerprint(split) for split in SPLITS},
    )
    tags = context.source.tag_matrix(context.items(TRAIN))
    facts = read_facts(context)
    write_strips(context, gallery_images, round(PIXEL_DENSITY * panel_height_px))
    results = Results(
        data_set=context.source.name,
        class_names=context.source.class_names,
        manifests=manifests,
        scores=scores,
        curves={stage: read_curves(inputs[stage]) for stage in INPUTS if stage in inputs},
        confusions=confusions,
        shares={**facts.shares, **_true_shares(confusions)},
        tagged=images_per_class(tags),
        pairs=tag_pairs(tags),
        sizes=facts.sizes,
        images=facts.images,
        audit=read_audit_findings(audits[0]) if audits else None,
        gallery=make_gallery(context, facts.images, page_images, _thresholds(scores, manifests)),
    )
    results = replace(results, advice=all_advice(results))
    page = render(header(results, title), all_sections(results)).encode()
    with atomic(context.folder / "report.html") as temporary:
        temporary.write_bytes(page)
    shown = len(results.gallery.entries)
    return {"gallery_images": float(shown), "size_mb": round(len(page) / 1e6, 3)}


def _true_shares(confusions: Mapping[str, Counts]) -> dict[str, tuple[float, ...]]:
    """Share of the labelled pixels of each label by ground truth (oracle), background first."""
    found: dict[str, tuple[float, ...]] = {}
    for name, subject in ((TRUE_TRAIN_SHARE, PSEUDO_MASKS), (TRUE_VAL_SHARE, SEGMENTER)):
        if subject in confusions:
            pixels = np.asarray(confusions[subject].sum(axis=1))
            found[name] = tuple((pixels / max(1, int(pixels.sum()))).tolist())
    return found


def _thresholds(scores: Scores, manifests: Mapping[str, Manifest]) -> dict[str, float]:
    """The background threshold of each kind of maps that no mask has chosen."""
    evaluation = manifests.get(WEAK)
    fixed = evaluation.config.get("seed_threshold") if evaluation is not None else None
    found = {"cam": fixed, "refined_map": EVEN_ODDS if "probe" in manifests else fixed}
    for kind, subjects in SEEDS_OF.items():
        for name in subjects:
            if (one := scores.get(name)) is not None and one.threshold is not None:
                found[kind] = one.threshold
    return {kind: float(one) for kind, one in found.items() if one is not None}
