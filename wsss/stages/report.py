"""Write the report of a run: numbers, curves and pictures on one page."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from wsss.artifacts import Manifest, atomic, read_json
from wsss.data.sample import Item
from wsss.data.source import TRAIN, VAL
from wsss.report.bound import BOUNDS, WEAK
from wsss.report.gallery_choice import SAMPLE, sample_gallery
from wsss.report.header import header
from wsss.report.page import render
from wsss.report.panels import Panel, draw_panels, jpeg, strip
from wsss.report.read_scores import PSEUDO_MASKS, SEGMENTER, joined, read_scores
from wsss.report.results import GalleryGroup, GalleryRow, Results
from wsss.report.sections import all_sections
from wsss.report.training_curves import read_curves
from wsss.stage_tools.context import Context
from wsss.stage_tools.evidence import evidence_of
from wsss.stage_tools.worker_pool import failure_noted
from wsss.stages import CHAIN

VERSION = 2
INPUTS = CHAIN[:-1]
OPTIONAL_INPUTS = INPUTS
SPLITS = (TRAIN, VAL)
READS_MASKS = True
HAS_NETWORKS = False
KEY_NUMBER = "gallery_images"

PIXEL_DENSITY = 1.5
"""Pixels of a picture for each pixel of the page, for high-density screens."""

SCORED_BY = {TRAIN: PSEUDO_MASKS, VAL: SEGMENTER}
"""The subject that ranks the gallery of each split."""


def run(
    context: Context,
    *,
    gallery_images: int = 5,
    panel_height_px: int = 160,
    title: str | None = None,
) -> dict[str, float]:
    """Write `report.html`, which needs no other file, and the gallery's rows as `panels/*.jpg`.

    Stages that did not run are left out of the report.

    Args:
        context: data, folders, processes; every input may be missing.
        gallery_images: images of each group (best, median, worst) of each split.
        panel_height_px: height at which pictures are shown.
        title: heading of the page; the data set's name if None.

    Returns:
        `gallery_images` that are shown, and `size_mb` of the page.
    """
    if not context.is_main:
        return {}
    height_px = round(PIXEL_DENSITY * panel_height_px)
    choice = _choice(context, 3 * gallery_images)  # A sample stands for best, median and worst.
    gallery = tuple(
        GalleryGroup(split, name, tuple(_rows(context, split, items, height_px)))
        for split, groups in _chosen(context, choice, gallery_images).items()
        for name, items in groups.items()
    )
    inputs = context.inputs
    manifests = {stage: Manifest.read(inputs[stage]) for stage in INPUTS if stage in inputs}
    results = Results(
        data_set=context.source.name,
        class_names=context.source.class_names,
        manifests={stage: one for stage, one in manifests.items() if one is not None},
        scores=joined(read_scores(inputs[one]) for one in (WEAK, *BOUNDS) if one in inputs),
        curves={stage: read_curves(inputs[stage]) for stage in INPUTS if stage in inputs},
        gallery=gallery,
        without_class=choice.get("without_class", {}),
        panel_height_px=panel_height_px,
    )
    page = render(header(results, title), all_sections(results)).encode()
    with atomic(context.folder / "report.html") as temporary:
        temporary.write_bytes(page)
    shown = sum(len(group.rows) for group in gallery)
    return {"gallery_images": float(shown), "size_mb": round(len(page) / 1e6, 3)}


def _choice(context: Context, sample_size: int) -> dict[str, Any]:
    """Ids of each split's groups: the evaluation's choice, or a sample of the training images."""
    groups = sample_gallery(context.items(TRAIN), sample_size)
    sample = {TRAIN: {name: [item.id for item in items] for name, items in groups.items()}}
    if "evaluate" not in context.inputs:
        return sample
    return _read(context.inputs["evaluate"] / "gallery.json") or sample


def _chosen(
    context: Context, choice: Mapping[str, Any], per_group: int
) -> dict[str, dict[str, list[Item]]]:
    """The items of each split's groups, cut to the wanted number."""
    most = {SAMPLE: 3 * per_group}
    found: dict[str, dict[str, list[Item]]] = {}
    for split in SPLITS:
        groups = choice.get(split, {})
        wanted = {item_id for ids in groups.values() for item_id in ids}
        items = {item.id: item for item in context.items(split) if item.id in wanted}
        found[split] = {
            name: [items[one] for one in ids if one in items][: most.get(name, per_group)]
            for name, ids in groups.items()
        }
    return found


def _rows(context: Context, split: str, items: list[Item], height_px: int) -> Iterator[GalleryRow]:
    """Draw the rows of a group and write each as a picture; unreadable images are noted."""
    scores = _scores(context, split, items)
    names = context.source.class_names
    for item in items:
        panels: list[Panel] = []
        with failure_noted(context.folder, item):
            evidence = replace(
                evidence_of(context.source, context.inputs, split, item),
                truth=context.source.read_mask(item),
            )
            panels = draw_panels(evidence, height_px, names)
        if len(panels) < 2:  # It cannot be read, or no stage has a result for it.
            continue
        with atomic(context.folder / "panels" / f"{split}_{item.file_stem}.jpg") as temporary:
            temporary.write_bytes(jpeg(strip(panels)))
        yield GalleryRow(
            item_id=item.id,
            tags=tuple(names[label - 1] for label in item.labels),
            score=scores.get(item.id),
            panels=tuple(panels),
            present=evidence.present,
        )


def _scores(context: Context, split: str, items: list[Item]) -> dict[str, float | None]:
    """The score of each image that has one, by id."""
    if "evaluate" not in context.inputs:
        return {}
    every = _read(context.inputs["evaluate"] / "images.json").get(split, {})
    return {one.id: every.get(one.id, {}).get(SCORED_BY[split]) for one in items}


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is no file."""
    return dict(read_json(path)) if path.is_file() else {}
