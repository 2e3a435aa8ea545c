"""The best, median and worst images as pictures of one row, which trackers show."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from wsss.artifacts import atomic, read_json
from wsss.data.sample import Item
from wsss.data.source import SPLITS, TRAIN
from wsss.report.gallery_choice import SAMPLE, sample_gallery
from wsss.report.panels import Panel, draw_panels, jpeg, strip
from wsss.stage_tools.context import Context
from wsss.stage_tools.evidence import evidence_of
from wsss.stage_tools.worker_pool import failure_noted


def write_strips(context: Context, per_group: int, height_px: int) -> None:
    """Write `panels/<split>_<id>.jpg`: an image and all its results side by side.

    Args:
        context: of the stage.
        per_group: images of each group (best, median, worst) of each split; a sample stands for
            all three where nothing could be scored.
        height_px: of a picture.
    """
    choice = _choice(context, 3 * per_group)
    for split, items in _chosen(context, choice, per_group).items():
        for item in items:
            _write_strip(context, split, item, height_px)


def _write_strip(context: Context, split: str, item: Item, height_px: int) -> None:
    """Draw an image's row; one that cannot be read, or has no result, is left out."""
    panels: list[Panel] = []
    with failure_noted(context.folder, item):
        evidence = replace(
            evidence_of(context.source, context.inputs, split, item),
            truth=context.source.read_mask(item),
        )
        panels = draw_panels(evidence, height_px, context.source.class_names)
    if len(panels) > 1:
        with atomic(context.folder / "panels" / f"{split}_{item.file_stem}.jpg") as temporary:
            temporary.write_bytes(jpeg(strip(panels)))


def _choice(context: Context, sample_size: int) -> dict[str, Any]:
    """Ids of each split's groups: the evaluation's choice, or a sample of the training images."""
    path = context.inputs.get("evaluate", Path()) / "gallery.json"
    if path.is_file():
        return dict(read_json(path))
    groups = sample_gallery(context.items(TRAIN), sample_size)
    return {TRAIN: {name: [item.id for item in items] for name, items in groups.items()}}


def _chosen(context: Context, choice: Mapping[str, Any], per_group: int) -> dict[str, list[Item]]:
    """The items of each split's groups, cut to the wanted number."""
    most = {SAMPLE: 3 * per_group}
    found: dict[str, list[Item]] = {}
    for split in SPLITS:
        groups = choice.get(split, {})
        ids = [one for name, own in groups.items() for one in own[: most.get(name, per_group)]]
        items = {item.id: item for item in context.items(split) if item.id in {*ids}}
        found[split] = [items[one] for one in ids if one in items]
    return found
