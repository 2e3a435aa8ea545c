"""Results of a stage over a few images, the same ones in every run on a data set."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from wsss.data.item_table import select
from wsss.data.sample import Item
from wsss.data.source import TRAIN, VAL
from wsss.pipeline.tracking.records import Picture
from wsss.report.gallery_choice import SAMPLE, sample_gallery
from wsss.report.panels import draw_panels, strip
from wsss.stage_tools.context import Context
from wsss.stage_tools.evidence import evidence_of
from wsss.stage_tools.worker_pool import ITEM_ERRORS

NUM_IMAGES = 4
HEIGHT_PX = 200
SHOWN = {"localize": TRAIN, "propagate": TRAIN, "probe": TRAIN, "refine": TRAIN, "evaluate": VAL}
"""Stages whose results can be seen, and the split that they are shown on."""


def overlays(context: Context, stage: str, folders: Mapping[str, Path]) -> dict[str, Picture]:
    """Image, activation map, pseudo mask and prediction side by side, as far as there are any.

    Images are chosen by their tags and their order alone, never by a score.

    Args:
        context: the data.
        stage: that has finished.
        folders: its own, and those of the stages before it.
    """
    split = SHOWN.get(stage)
    if split is None:
        return {}
    found: dict[str, Picture] = {}
    for item in shown_items(context.items(split)):
        try:
            evidence = evidence_of(context.source, folders, split, item)
        except ITEM_ERRORS:  # The stage has noted an image that cannot be read.
            continue
        panels = draw_panels(evidence, HEIGHT_PX, context.source.class_names)
        if len(panels) > 1:
            found[item.id] = strip(panels)
    return found


def shown_items(items: Sequence[Item], count: int = NUM_IMAGES) -> list[Item]:
    """Evenly spaced images with tags; any images where none has some."""
    tagged = select(items, lambda item: bool(item.labels)) or items
    return sample_gallery(tagged, count)[SAMPLE]
