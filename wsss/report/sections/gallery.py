"""The gallery of images and layers, which a script draws."""

import json
from typing import Any

import cv2
import numpy as np
from markupsafe import Markup

from wsss.data.sample import BACKGROUND_LABEL, VOID_LABEL
from wsss.report.doubt import MEANINGS
from wsss.report.layers import pack
from wsss.report.overlays import palette
from wsss.report.results import Results
from wsss.report.section import SHOW_ME, Section

FILES = (
    "unpack", "layers", "drawing", "choice", "cards", "viewer", "controls", "keys",
)  # fmt: skip
SCRIPTS = tuple(f"gallery/{name}.js" for name in FILES)
DEFAULT_THRESHOLD = 0.3
"""Of maps whose threshold no evaluation has fixed."""


def gallery(results: Results) -> Section | None:
    """All images of the page, with their layers."""
    entries = results.gallery.entries
    if not entries:
        return None
    scored = any(one.get("score") is not None for one in entries)
    return Section(
        name="gallery",
        title="Gallery",
        lead=_lead(results),
        data={
            "json": as_script(_content(results)),
            "splits": [*dict.fromkeys(str(one["split"]) for one in entries)],
            "classes": [
                {"label": label, "name": results.class_name(label)} for label in _labels(results)
            ],
            "scored": scored,
            "has_void": any(VOID_LABEL in one["present"] for one in entries),
            "threshold": results.gallery.thresholds.get("cam", DEFAULT_THRESHOLD),
        },
        part=SHOW_ME,
        scripts=SCRIPTS,
    )


def as_script(content: Any) -> Markup:
    """JSON that can stand in an element `script`: nothing in it ends the element."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def _lead(results: Results) -> str:
    shown, total = len(results.gallery.entries), results.gallery.images
    lead = "Click an image, or press Enter, to enlarge it; press ? for all keys."
    if shown < total:
        lead += (
            f" The page shows {shown:,} of {total:,} images: half of them are the most doubtful, "
            "the others lie at even distances in the lists of the data set."
        )
    if any("ground_truth" in one["masks"] for one in results.gallery.entries):
        lead += (
            " Ground truth is shown to compare with; no training saw it"
            f"{', but that of the bound' * results.has_bound}."
        )
    return lead


def _labels(results: Results) -> list[int]:
    """Classes that a tag or a mask of the gallery has."""
    entries = results.gallery.entries
    found = {label for one in entries for label in (*one["tags"], *one["present"])}
    return sorted(found - {BACKGROUND_LABEL, VOID_LABEL})


def _content(results: Results) -> dict[str, Any]:
    """All that the script reads."""
    inferno = cv2.applyColorMap(np.arange(256, dtype=np.uint8), cv2.COLORMAP_INFERNO)
    colors = palette()
    return {
        "names": {label: results.class_name(label) for label in _labels(results)},
        "colors": {label: colors[label].tolist() for label in _labels(results)},
        "heat": pack(np.asarray(inferno[:, 0, ::-1], dtype=np.uint8)),
        "meanings": MEANINGS,
        "thresholds": dict(results.gallery.thresholds),
        "entries": list(results.gallery.entries),
    }
