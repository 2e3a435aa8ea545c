"""From a request to explained segments: sheets, and a table in JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from wsss.artifacts import file_digest, mark_of
from wsss.errors import InvalidOptionError, Problem, WsssError
from wsss.explain.class_choice import parse_classes
from wsss.explain.contact_sheet import HEIGHT_PX, OtherImage, resized, shortened, stacked
from wsss.explain.explainer import first_synonym, left_out
from wsss.explain.image_files import contents, readable_images
from wsss.explain.request import Request
from wsss.explain.result_folder import ResultFolder, noted_problem, problem_note
from wsss.explain.segments.explain_segments import ExplainedSegments, SegmentExplainer
from wsss.explain.segments.seg_gradcam import named_module
from wsss.machine.devices import usable_device
from wsss.models.saved_networks import SEGMENTER, load_segmenter
from wsss.report.overlays import heat_overlay, label_overlay, outlines
from wsss.report.panels import Panel, fit, strip
from wsss.stage_tools.progress import track

VERSION = 1
"""Another one where the same request gives other results."""
BACKGROUND = "background"
SEGMENTS = "segments.json"
OUTLINE_RGB = (255, 255, 0)


@dataclass(frozen=True, slots=True)
class ExplainedImages:
    """Results of a call."""

    folder: Path
    images: Sequence[Mapping[str, Any]]
    """In their order, as in `segments.json`."""
    problems: Sequence[Problem]
    """What was left out, with reasons."""
    mark: str = ""
    """` (saw masks)` for a segmenter that such weights had a part in."""


def run(request: Request, visible: bool = True) -> ExplainedImages:
    """Explain a segmenter's labels in the images of a request.

    Args:
        request: the checked settings.
        visible: whether to show a progress bar.

    Raises:
        WsssError: the request cannot be met, or nothing could be explained.
    """
    assert request.segmenter is not None
    device = usable_device(request.device)
    segmenter, names = load_segmenter(request.segmenter)
    names = (BACKGROUND, *names)
    try:
        named_module(segmenter, request.layer)
    except InvalidOptionError as error:
        raise WsssError(error.problem("layer")) from error
    choice = parse_classes(request.classes, names)
    explainer = SegmentExplainer(
        segmenter, names, choice, request.region, request.layer, request.size, device
    )
    images, problems = readable_images(request.images, request.output)
    described = {
        "mode": ["segmenter", VERSION],
        "segmenter": {
            "folder": str(request.segmenter),
            "weights": file_digest(request.segmenter / f"{SEGMENTER}.safetensors"),
            "classes": [*names],
        },
        "method": "Seg-Grad-CAM (Vinogradova et al. 2020)",
        "layer": request.layer,
        "region_px": [*request.region],
        "classes": ",".join(map(str, request.classes)),
        "side_px": request.size,
        "images": contents([*images]),
    }
    files = [file for one in images.values() for file in (_note(one), _sheet(one))]
    folder = ResultFolder.of(request.output, described, [*files, SEGMENTS])
    found = []
    for path, name in track(images.items(), len(images), "explain", visible=visible):
        try:
            found.append(_explained(folder, explainer, path, name))
        except InvalidOptionError as error:
            raise WsssError(error.problem("layer")) from error
        except WsssError as error:
            problems += left_out(error)
    problems += [noted_problem(words) for one in found for words in one["left_out"]]
    shown = [one for one in found if one["segments"]]
    if not shown:
        raise WsssError(*problems)
    summary = {key: value for key, value in described.items() if key != "images"}
    left = [str(one) for one in problems]
    mark = mark_of(request.segmenter)
    content = {**summary, "saw_masks": bool(mark), "left_out": left, "images": shown}
    folder.write(SEGMENTS, content)
    return ExplainedImages(folder.folder, shown, problems, mark)


def _explained(
    folder: ResultFolder, explainer: SegmentExplainer, path: Path, name: str
) -> dict[str, Any]:
    """The entry of an image, computed unless it is there; its note is written last."""
    if (note := folder.note(_note(name))) is not None:
        return dict(note)
    seen = explainer.explain(path)
    entry = {
        "image": str(path),
        "size": list(seen.image.shape[:2]),
        "seen_at": list(seen.labels.shape),
        "sheet": _sheet(name),
        "segments": [
            {
                "class": explainer.names[one.label],
                "label": one.label,
                "region_share": float(one.region.mean()),
                "probability": one.probability,
                "evidence_inside": inside(one.heat, one.region),
            }
            for one in seen.evidence
        ],
        "left_out": [problem_note(problem) for problem in seen.problems],
    }
    if seen.evidence:
        folder.draw(_sheet(name), segments_sheet(seen, explainer.names))
    folder.write(_note(name), entry)
    return entry


def inside(heat: np.ndarray, region: np.ndarray) -> float | None:
    """Share of a map's evidence that lies inside the region; None where there is no evidence.

    Args:
        heat: [h, w], not negative.
        region: [H, W].
    """
    total = float(heat.sum(dtype=np.float64))
    small = cv2.resize(region.astype(np.uint8), heat.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return float(heat[small > 0].sum(dtype=np.float64)) / total if total else None


def segments_sheet(
    seen: ExplainedSegments, names: Sequence[str], height_px: int = HEIGHT_PX
) -> OtherImage:
    """A row for each class: the image, its labels, and the evidence; the region has an outline.

    Args:
        seen: with at least one explained class.
        names: of background and the classes.
        height_px: height of the pictures.
    """
    height, width = fit(seen.image.shape[0], seen.image.shape[1], height_px)
    picture = resized(seen.image, height, width)
    labels = label_overlay(picture, _nearest(seen.labels, height, width))
    rows = []
    for one in seen.evidence:
        heat = cv2.resize(one.heat.astype(np.float32), (width, height))
        shown = heat_overlay(picture, np.asarray(heat))
        shown[outlines(_nearest(one.region.astype(np.uint8), height, width))] = OUTLINE_RGB
        titles = ("image", "labels", f"{first_synonym(names[one.label])} {one.probability:.2f}")
        rows.append(
            strip(
                [
                    Panel(shortened(title, width), panel)
                    for title, panel in zip(titles, (picture, labels, shown), strict=True)
                ]
            )
        )
    return stacked(rows)


def _nearest(labels: np.ndarray, height: int, width: int) -> np.ndarray:
    small = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
    return small.astype(np.uint8)


def _note(name: str) -> str:
    return f"notes/{name}.json"


def _sheet(name: str) -> str:
    return f"sheets/{name}.png"
