"""The sections of a summary's page, from findings to what templates draw."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from wsss.explain.contact_sheet import stacked, text_line
from wsss.explain.summary.class_mean_maps import ClassMeanMaps
from wsss.explain.summary.confusion_cells import Cell
from wsss.explain.summary.failure_groups import SMALLEST
from wsss.explain.summary.findings import CLASSIFIER, Findings
from wsss.explain.summary.pictures import (
    HEIGHT_PX,
    Row,
    RowDrawer,
    label_name,
    mean_panels,
    mean_sheet,
    rows_sheet,
)
from wsss.explain.summary.summarised_run import MASKS
from wsss.explain.summary.wrong_evidence import MISSED, OUTSIDE, PIXELS, Failure
from wsss.report.confusion_picture import confusion_picture
from wsss.report.overlays import Image
from wsss.report.panels import Panel
from wsss.report.section import Section
from wsss.stage_tools.progress import track
from wsss.wording import plural

MOST_GROUPS, MOST_CELLS = 16, 24
"""Groups and cells that are drawn; the others are told in numbers."""
ON_SHEET = 12
"""Images of a sheet: the most wrong ones."""
ON_PAGE = 6
"""Images of a group or cell on the page."""
SUMMED_UP = 3
"""Kinds of failures that a group's line names."""

Write = Callable[[str, Image], None]
"""Takes a sheet and its path below the folder of the results."""


@dataclass(frozen=True, slots=True)
class OfClass:
    """The mean maps of a class."""

    name: str
    facts: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Shown:
    """A group, or a cell, with its pictures."""

    title: str
    facts: str
    rows: Sequence[Row]
    more: int
    """Images that are not on the page."""
    sheet: str
    """Its file."""


def sections(found: Findings, drawer: RowDrawer, write: Write) -> list[Section]:
    """The sections of one network, whose sheets are written.

    Args:
        found: what is told of it.
        drawer: draws its images.
        write: writes a sheet.
    """
    names = drawer.run.source.class_names
    made = [
        _mean_section(found, names, write),
        _group_section(found, names, drawer, write),
        _confusion_section(found, names, drawer, write),
    ]
    return [one for one in made if one is not None]


def _name(found: Findings, section: str) -> str:
    """The anchor and template of a section, whose names no two networks share."""
    return section if found.network == CLASSIFIER else f"segmenter_{section}"


def _title(found: Findings, title: str) -> str:
    return title if found.network == CLASSIFIER else f"Segmenter: {title.lower()}"


def _sheet_title(found: Findings, title: str, facts: str) -> str:
    return "oracle: " * (found.by == MASKS) + f"{title}: {facts}"


def _mean_section(found: Findings, names: Sequence[str], write: Write) -> Section | None:
    if not found.mean_maps:
        return None
    classes = [
        OfClass(names[label - 1], _mean_facts(maps), mean_panels(maps))
        for label, maps in found.mean_maps.items()
    ]
    sheet = f"{found.network}/mean_maps.png"
    write(sheet, mean_sheet([(f"{one.name}: {one.facts}", one.panels) for one in classes]))
    if found.network == CLASSIFIER:
        lead = (
            "Mean of the maps of all training images with a tag, and their standard deviation. "
            "In the frame: at the same place of all images, where a stamp or a habit of the "
            "photographer shows. Around the object: with the refined object's centre in the middle "
            "and its extent to the same size, where evidence beside it shows as a ring. The blue "
            "line is around what at least half of the objects cover."
        )
    else:
        lead = (
            "Mean of the predictions of all validation images with a tag, and their standard "
            "deviation: in the frame, and with the predicted region in the middle, at the same "
            "size, where the blue line is around what at least half of them cover."
        )
    return Section(
        _name(found, "mean_maps"), _title(found, "Mean maps"), lead,
        {"classes": classes, "height_px": HEIGHT_PX, "sheet": sheet},
    )  # fmt: skip


def _mean_facts(maps: ClassMeanMaps) -> str:
    """Number of images, and how much of the evidence is beside the object."""
    facts = plural(maps.frame.num_images, "image")
    if maps.outside:
        mean, spread = 100 * np.mean(maps.outside), 100 * np.std(maps.outside)
        facts += f", {mean:.0f} ± {spread:.0f} % of the evidence beside the object"
    return facts


def _group_section(
    found: Findings, names: Sequence[str], drawer: RowDrawer, write: Write
) -> Section:
    groups = found.groups[:MOST_GROUPS]
    shown = []
    for number, group in enumerate(track(groups, len(groups), "draw groups", unit="group"), 1):
        members = [found.failures[one] for one in group.members]
        first = {one.item.id: one for one in reversed(members)}
        distinct = [one for one in members if first[one.item.id] is one][:ON_SHEET]
        rows = [drawer.row(one, found) for one in distinct]
        title = f"Group {number}: {plural(group.num_images, 'image')}"
        facts = f"{_summed_up([one.failure for one in members], names)}; wrongness "
        facts += f"{group.wrongness:.2f}"
        path = f"{found.network}/groups/{number:02d}.png"
        write(path, rows_sheet(_sheet_title(found, title, facts), rows))
        more = group.num_images - len(rows[:ON_PAGE])
        shown.append(Shown(title, facts, rows[:ON_PAGE], more, path))
    return Section(
        _name(found, "failure_groups"), _title(found, "Failure groups"), _group_lead(found),
        {"shown": shown, "height_px": HEIGHT_PX, "notes": _group_notes(found)},
        oracle=found.by == MASKS,
    )  # fmt: skip


def _group_lead(found: Findings) -> str:
    if found.by == MASKS:
        wrong = "Wrong are pixels whose label is another than the mask's"
    elif found.network == CLASSIFIER:
        wrong = (
            "Wrong is a tag that is not seen, a class that is seen without a tag, and evidence of "
            "which more than half is beside the refined object. No mask is read"
        )
    else:
        wrong = (
            "Wrong is a tag without pixels, and pixels of a class that is no tag. No mask is read"
        )
    return (
        f"{wrong}. Images are in one group if the features under their wrong evidence are alike; "
        "groups with many images that are very wrong come first."
    )


def _group_notes(found: Findings) -> list[str]:
    """What is not shown."""
    total = len(found.failures)
    if not total:
        return ["Nothing is wrong."]
    grouped = sum(len(group.members) for group in found.groups)
    notes = [
        f"{plural(total, 'failure')} in "
        f"{plural(len({one.item.id for one in found.failures}), 'image')} of "
        f"{found.num_images:,}; {grouped:,} of them in "
        f"{plural(len(found.groups), 'group')} of {SMALLEST} images or more."
    ]
    if found.num_clustered < total:
        notes.append(f"Only the {found.num_clustered:,} most wrong ones were grouped.")
    if len(found.groups) > MOST_GROUPS:
        notes.append(f"Shown are the first {MOST_GROUPS}; summary.json has all.")
    return notes


def described(failure: Failure, names: Sequence[str]) -> str:
    """What kind of failure it is, of which class."""
    name = label_name(failure.label, names)
    if failure.kind == PIXELS:
        return f"{label_name(failure.true_label, names)} taken for {name}"
    if failure.kind == OUTSIDE:
        return f"{name} seen beside the object"
    return f"{name} tagged, not seen" if failure.kind == MISSED else f"{name} seen, not tagged"


def _summed_up(failures: Sequence[Failure], names: Sequence[str]) -> str:
    """The most frequent kinds of failures of a group."""
    counted = Counter(described(one, names) for one in failures).most_common()
    said = [f"{what} ({count})" for what, count in counted[:SUMMED_UP]]
    if more := len(counted) - len(said):
        said.append(f"{more} more kinds" if more > 1 else "1 more kind")
    return ", ".join(said)


def _confusion_section(
    found: Findings, names: Sequence[str], drawer: RowDrawer, write: Write
) -> Section:
    by_masks = found.by == MASKS
    picture = None
    if found.matrix.any():
        if by_masks:
            picture = confusion_picture(["background", *names], found.matrix)
        else:
            picture = confusion_picture([*names, "no tag"], found.matrix, [*names, "nothing"])
        stamp = "oracle: pixels, in percent" if by_masks else "images, in percent"
        line = text_line(f"{stamp} of each row", picture.shape[1])
        write(f"{found.network}/confusion.png", stacked([line, picture]))
    drawn = [cell for cell in found.cells if cell.images][:MOST_CELLS]
    shown = []
    for number, cell in enumerate(track(drawn, len(drawn), "draw confusions", unit="cell"), 1):
        rows = [drawer.row(one, found) for one in found.failures_in(cell)[:ON_SHEET]]
        title, facts = cell_title(cell, names, by_masks), cell_facts(cell, by_masks)
        path = f"{found.network}/confusion/{number:02d}.png"
        write(path, rows_sheet(_sheet_title(found, title, facts), rows))
        more = len(cell.images) - len(rows[:ON_PAGE])
        shown.append(Shown(title, facts, rows[:ON_PAGE], more, path))
    if by_masks:
        lead = "Pixels by their true label (row) and the one they were given (column), in percent."
    else:
        lead = (
            "Images by their tags (row) and what is seen in them (column), in percent of the row. "
            "A class that is seen without a tag is taken for the tags that are not seen, or, if "
            "there are none, for all tags of the image. No mask is read."
        )
    return Section(
        _name(found, "confusion"), _title(found, "Confusion"), lead,
        {
            "picture": picture,
            "shown": shown,
            "height_px": HEIGHT_PX,
            "notes": _cell_notes(found, len(drawn)),
        },
        oracle=by_masks,
    )  # fmt: skip


def _cell_notes(found: Findings, drawn: int) -> list[str]:
    if not found.cells:
        return ["Nothing is taken for anything else."]
    if drawn < len(found.cells):
        return [f"Shown are the first {drawn} of {len(found.cells)}; summary.json has all."]
    return []


def cell_title(cell: Cell, names: Sequence[str], by_masks: bool) -> str:
    """What is taken for what."""
    if by_masks:
        return f"{label_name(cell.true, names)} taken for {label_name(cell.seen, names)}"
    if not cell.true:
        return f"{names[cell.seen - 1]} seen without any tag"
    if not cell.seen:
        return f"{names[cell.true - 1]} not seen"
    return f"{names[cell.true - 1]} taken for {names[cell.seen - 1]}"


def cell_facts(cell: Cell, by_masks: bool) -> str:
    """How often."""
    images = plural(len(cell.images), "image")
    return f"{cell.count:,} pixels; 1 % or more of the pixels of {images}" if by_masks else images
