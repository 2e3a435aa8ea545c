"""Explain images, one after the other: pictures, a sheet an image, numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wsss.data.images import read_rgb
from wsss.errors import Problem, WsssError
from wsss.explain.contact_sheet import Row, overlay, sheet
from wsss.explain.explainer import Explainer, Explanation, left_out
from wsss.explain.mean_scores import Means, described_means, mean_scores
from wsss.explain.output_folder import (
    SHEET,
    overlay_name,
    prepare,
    unique_names,
    write_picture,
    write_scores,
)
from wsss.stage_tools.progress import reporting

MOST_PROBABLE = 5
"""Classes whose probabilities are noted for each image, explained or not."""


@dataclass(slots=True)
class Explained:
    """Results of a call."""

    sheets: dict[Path, Path] = field(default_factory=dict)
    """Sheet of each image."""
    top: dict[Path, tuple[str, float]] = field(default_factory=dict)
    """Most probable class of each image, with its probability."""
    problems: list[Problem] = field(default_factory=list)
    """Skipped images and methods, with reasons."""
    means: Means = field(default_factory=dict)
    """Of methods and baselines over all images; empty where nothing was measured."""


def explain_images(
    folder: Path,
    explainer: Explainer,
    images: Sequence[Path],
    described: Mapping[str, Any] | None = None,
    visible: bool = True,
) -> Explained:
    """Explain every image: `<image>/<method>.<class>.png`, `<image>/sheet.png`, `scores.json`.

    An unreadable image is noted and skipped. Files of an earlier call in the folder are removed,
    unless no image can be read.

    Args:
        folder: where everything is written.
        explainer: explains an image.
        images: image files.
        described: what else goes into `scores.json`.
        visible: whether to show a progress bar.

    Raises:
        WsssError: nothing can be written to the folder, or its `scores.json` is another program's.
    """
    found = Explained()
    entries: list[dict[str, Any]] = []
    steps = [0] * len(images)
    if any(map(_is_readable, images)):
        prepare(folder)
        steps = [_num_steps(explainer, path) for path in images]
    before = 0
    unit = "map" if explainer.scorer is None else "forward pass"
    with reporting(sum(steps), "explain", visible, unit=unit) as report:
        for path, name, own in zip(images, unique_names(images), steps, strict=True):

            def of_image(done: float, now: str, before: int = before) -> None:
                report(before + done, now)

            before += own
            try:
                explanation = explainer.explain(path, of_image)
            except WsssError as error:
                found.problems += left_out(error)
                continue
            entry = _entry(path, name, explanation)
            entries.append(entry)
            found.problems += explanation.problems
            top = entry["most_probable"][0]
            found.top[path] = (top["class"], top["probability"])
            if explanation.maps:
                _draw(folder, entry, explanation)
                found.sheets[path] = folder / entry["sheet"]
        report(sum(steps), "")
    if entries:
        left = [str(problem) for problem in found.problems]
        content = {**(described or {}), "images": entries, "left_out": left}
        if explainer.scorer is not None:
            found.means = mean_scores(entries)
            content["means"] = described_means(found.means)
        write_scores(folder, content)
    return found


def _is_readable(path: Path) -> bool:
    try:
        read_rgb(path)
    except WsssError:
        return False
    return True


def _num_steps(explainer: Explainer, path: Path) -> int:
    """Steps of an image: a method is one where nothing is measured.

    Otherwise they depend on the image's size and the number of its classes, which takes a pass to
    know; an image that cannot be read has none.
    """
    if explainer.scorer is None:
        return len(explainer.methods)
    try:
        return explainer.num_steps(path)
    except WsssError:
        return 0


def _entry(path: Path, name: str, explanation: Explanation) -> dict[str, Any]:
    """The entry of an image in `scores.json`; its pictures are in the folder `name`."""
    maps, names = explanation.maps, explanation.class_names
    ranked = explanation.probabilities.argsort(descending=True)[:MOST_PROBABLE].tolist()
    return {
        "image": str(path),
        "size": list(explanation.image.shape[:2]),
        "seen_at": [list(size) for size in explanation.seen_at],
        "most_probable": [_class_entry(explanation, index) for index in ranked],
        "sheet": f"{name}/{SHEET}" if maps else None,
        "explanations": [
            {
                "method": method,
                **_class_entry(explanation, index),
                **explanation.figures[method][position],
                "overlay": f"{name}/{overlay_name(method, names[index], index)}",
            }
            for method in maps
            for position, index in enumerate(explanation.classes)
        ],
        "baselines": [
            {"method": name, **_class_entry(explanation, index), **figures[position]}
            for name, figures in explanation.baselines.items()
            for position, index in enumerate(explanation.classes)
        ],
    }


def _class_entry(explanation: Explanation, index: int) -> dict[str, Any]:
    return {
        "class": explanation.class_names[index],
        "index": index,
        "probability": float(explanation.probabilities[index]),
    }


def _draw(folder: Path, entry: Mapping[str, Any], explanation: Explanation) -> None:
    """Write the overlays and the sheet that an entry names."""
    heats = (heat for maps in explanation.maps.values() for heat in maps)
    for one, heat in zip(entry["explanations"], heats, strict=True):
        write_picture(folder / one["overlay"], overlay(explanation.image, heat))
    write_picture(folder / entry["sheet"], sheet(explanation.image, sheet_rows(explanation)))


def sheet_rows(explanation: Explanation) -> list[Row]:
    """The rows of an image's sheet: one for each explained class."""
    return [
        Row(
            explanation.class_names[index],
            float(explanation.probabilities[index]),
            {method: maps[position] for method, maps in explanation.maps.items()},
        )
        for position, index in enumerate(explanation.classes)
    ]
