"""Pictures of a summary: rows of images with their evidence, mean maps, and sheets of both."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from wsss.artifacts import LabelStore
from wsss.data.sample import Item
from wsss.data.source import TRAIN, VAL
from wsss.explain.class_choice import PRESENT
from wsss.explain.contact_sheet import resized, shortened, stacked, text_line
from wsss.explain.summary.class_mean_maps import ClassMeanMaps
from wsss.explain.summary.findings import CLASSIFIER, Findings, Found
from wsss.explain.summary.summarised_run import MASKS, SummarisedRun
from wsss.explain.summary.wrong_evidence import MISSED, OUTSIDE, PIXELS, UNTAGGED, Failure
from wsss.report.overlays import Image, heat_overlay, label_overlay, outlines
from wsss.report.panels import GROUND_TRUTH, Panel, fit, strip

PIXEL_DENSITY = 1.5
"""Pixels of a picture for each pixel of the page, for high-density screens."""
HEIGHT_PX = 120
"""Height at which pictures are shown."""
SPREAD_SCALE = 0.5
"""Standard deviation that is drawn brightest: no values in [0, 1] spread more."""
FRAME_SCALE = 0.5
"""Mean in the frame that is drawn brightest: objects are at other places in every image."""
OUTLINE_RGB = (90, 200, 255)
"""Of the mean object: a colour that the map's colours do not have."""
MIN_SHEET_PX = 420
"""Width of a sheet at least, for the lines of text above its pictures."""


@dataclass(frozen=True, slots=True)
class Row:
    """One image with its wrong evidence."""

    item_id: str
    split: str
    tags: tuple[str, ...]
    told: str
    """What is wrong, in words."""
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class RowDrawer:
    """Draws rows of a run's images."""

    run: SummarisedRun
    validation: frozenset[str]
    """Ids of the validation images."""

    def row(self, found: Found, findings: Findings) -> Row:
        """The image of a failure, with its evidence, and the mask that the network led to.

        Raises:
            WsssError: the image cannot be read.
        """
        item, failure = found.item, found.failure
        names = self.run.source.class_names
        image = self.run.source.read_image(item)
        height, width = fit(image.shape[0], image.shape[1], round(PIXEL_DENSITY * HEIGHT_PX))
        small = resized(image, height, width)
        evidence = findings.store.read(item)
        heat = evidence.maps[found.position].astype(np.float32)
        shown = np.clip(cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR), 0, 1)
        panels = [
            Panel("image", small),
            Panel(evidence_title(failure, names), heat_overlay(small, np.asarray(shown))),
        ]
        for title, labels in self._masks(item, findings).items():
            nearest = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
            panels.append(Panel(title, label_overlay(small, nearest.astype(np.uint8))))
        return Row(
            item.id,
            VAL if item.id in self.validation else TRAIN,
            tuple(names[label - 1] for label in item.labels),
            told(failure, evidence.scores, item.labels, names, findings.network == CLASSIFIER),
            tuple(panels),
        )

    def _masks(self, item: Item, findings: Findings) -> dict[str, UInt8[np.ndarray, "h w"]]:
        is_classifier = findings.network == CLASSIFIER
        store: LabelStore | None = self.run.predictions
        if is_classifier:
            store = self.run.pseudo_masks
        masks = {}
        if store is not None and store.has(item):
            masks["pseudo mask" if is_classifier else "prediction"] = store.read(item)
        if findings.by == MASKS and (truth := self.run.source.read_mask(item)) is not None:
            masks[GROUND_TRUTH] = truth
        return masks


def label_name(label: int, names: Sequence[str]) -> str:
    """The name of a label, background included."""
    return names[label - 1] if label else "background"


def evidence_title(failure: Failure, names: Sequence[str]) -> str:
    """The title of a failure's map."""
    if failure.kind == PIXELS:
        return "wrong pixels"
    return f"map of {names[failure.label - 1]}"


def told(
    failure: Failure,
    scores: Float[np.ndarray, " c"],
    tags: Sequence[int],
    names: Sequence[str],
    of_classifier: bool,
) -> str:
    """What is wrong, in words.

    Args:
        failure: of an image.
        scores: of each class in this image.
        tags: of this image, labels 1…C.
        names: of the classes.
        of_classifier: whether scores are probabilities, else shares of pixels.
    """
    name = label_name(failure.label, names)
    if failure.kind == PIXELS:
        true = label_name(failure.true_label, names)
        return f"{true} taken for {name} in {100 * failure.wrongness:.0f} % of the pixels"
    score = float(scores[failure.label - 1])
    seen = f"{score:.2f}" if of_classifier else f"{100 * score:.0f} % of the pixels"
    if failure.kind == MISSED:
        untagged = [one for one in np.argsort(-scores, kind="stable") if one + 1 not in tags]
        if of_classifier and untagged and scores[untagged[0]] >= PRESENT:
            seen += f"; seen as {names[untagged[0]]} {scores[untagged[0]]:.2f}"
        return f"tagged {name}, seen with {seen}"
    if failure.kind == UNTAGGED:
        return f"seen is {name}, {seen}, without a tag"
    assert failure.kind == OUTSIDE
    share = f"{100 * failure.wrongness:.0f} %"
    return f"{name} is seen with {seen}, {share} of its evidence beside the object"


def mean_panels(maps: ClassMeanMaps) -> list[Panel]:
    """Mean and spread of a class, in the frame and around the object."""
    side = round(PIXEL_DENSITY * HEIGHT_PX)
    panels = []
    for title, mean, scale, whole in (
        ("in the frame", maps.frame, FRAME_SCALE, None),
        ("around the object", maps.centred, 1.0, maps.centred_object.mean),
    ):
        if mean.num_images:
            panels += [
                Panel(title, grid_picture(mean.mean / scale, whole, side)),
                Panel("its spread", grid_picture(mean.spread / SPREAD_SCALE, whole, side)),
            ]
    return panels


def grid_picture(
    values: Float[np.ndarray, "s s"], mean_object: Float[np.ndarray, "s s"] | None, side_px: int
) -> Image:
    """A grid of values as a picture, 1 the brightest, with the outline of what most objects cover.

    Args:
        values: not negative.
        mean_object: share of the objects that cover each position; None draws no outline.
        side_px: of the picture.
    """
    size = (side_px, side_px)
    heat = cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    black = np.zeros((side_px, side_px, 3), dtype=np.uint8)
    picture = heat_overlay(black, np.clip(np.asarray(heat), 0, 1))
    if mean_object is not None:
        covered = cv2.resize(mean_object.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
        picture[outlines((np.asarray(covered) >= 0.5).astype(np.uint8))] = OUTLINE_RGB
    return picture


def rows_sheet(title: str, rows: Sequence[Row]) -> Image:
    """A sheet of images: each with what is told of it above."""
    parts = []
    for row in rows:
        panels = [
            Panel(shortened(panel.title, panel.picture.shape[1]), panel.picture)
            for panel in row.panels
        ]
        pictures = strip(panels)
        width = max(MIN_SHEET_PX, pictures.shape[1])
        tags = ", ".join(row.tags) or "no tags"
        parts.append(text_line(f"{row.item_id} ({row.split}): {tags}", width))
        parts += [text_line(row.told, width), pictures]
    widest = max([MIN_SHEET_PX, *(part.shape[1] for part in parts)])
    return stacked([text_line(title, widest), *parts])


def mean_sheet(classes: Sequence[tuple[str, Sequence[Panel]]]) -> Image:
    """A sheet of mean maps: a row a class, under its name and what is told of it."""
    parts = []
    for title, panels in classes:
        pictures = strip(panels)
        parts += [text_line(title, max(MIN_SHEET_PX, pictures.shape[1])), pictures]
    return stacked(parts)
