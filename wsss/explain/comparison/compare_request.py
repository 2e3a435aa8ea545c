"""From a request to a comparison: sheets, an overview, tables."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from wsss.data.images import read_rgb
from wsss.errors import Problem, WsssError
from wsss.explain.comparison.compare_image import Compared
from wsss.explain.comparison.pictures import comparison_sheet, first_row, overview
from wsss.explain.comparison.sides import Sides, sides_of
from wsss.explain.explainer import left_out
from wsss.explain.image_files import contents, readable_images
from wsss.explain.method_settings import plain_settings
from wsss.explain.request import Request
from wsss.explain.result_folder import ResultFolder, noted_problem, problem_note
from wsss.machine.devices import usable_device
from wsss.stage_tools.progress import track

VERSION = 1
"""Another one where the same request gives other results."""
COMPARISON, TABLE, OVERVIEW = "comparison.json", "comparison.csv", "overview.png"
SHOWN = 6
"""Most and least different images of the overview, of each."""
NUMBERS = ("moved_share", "rank_correlation", "iou_at_half")
COLUMNS = ("image", "class", "method_a", "method_b", "probability_a", "probability_b", *NUMBERS)


@dataclass(frozen=True, slots=True)
class ComparedImages:
    """Results of a call."""

    folder: Path
    names: tuple[str, str]
    """What the sides are called."""
    images: Sequence[Mapping[str, Any]]
    """The most different first, as in `comparison.json`."""
    problems: Sequence[Problem]
    """What was left out, with reasons."""


def run(
    request: Request, configs: Mapping[str, DictConfig], visible: bool = True
) -> ComparedImages:
    """Compare what two sides see in the images of a request.

    Args:
        request: the checked settings.
        configs: settings of each method, by its name.
        visible: whether to show a progress bar.

    Raises:
        WsssError: the request cannot be met, or no image could be compared.
    """
    device = usable_device(request.device)
    sides = sides_of(request, configs, device)
    images, problems = readable_images(request.images, request.output)
    described = {
        "mode": ["compare", VERSION],
        "sides": dict(sides.described),
        "names": [*sides.names],
        "methods": plain_settings(configs),
        "classes": ",".join(map(str, request.classes)),
        "scales": [*request.scales],
        "flip": request.flip,
        "side_px": request.size,
        "images": contents([*images]),
    }
    files = [name for one in images.values() for name in (_note(one), _sheet(one))]
    folder = ResultFolder.of(request.output, described, [*files, COMPARISON, TABLE, OVERVIEW])
    problems += sides.refused
    found = []
    for path, name in track(images.items(), len(images), "compare", visible=visible):
        try:
            found.append(_compared(folder, sides, path, name))
        except WsssError as error:
            problems += left_out(error)
    found = sorted((one for one in found if one["classes"]), key=_by_disagreement)
    problems += [noted_problem(words) for one in found for words in one["left_out"]]
    if not found:
        raise WsssError(*problems)
    summary = {**described, "left_out": [str(one) for one in problems]}
    del summary["images"]
    folder.write(COMPARISON, {**summary, "images": found})
    folder.write_text(TABLE, table(found))
    folder.draw(OVERVIEW, overview([*_overview_rows(folder, found)]))
    return ComparedImages(folder.folder, sides.names, found, problems)


def table(images: Sequence[Mapping[str, Any]]) -> str:
    """A row for each image, class and pair of methods, as CSV."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for image in images:
        for one in image["classes"]:
            numbers = ("" if one[name] is None else f"{one[name]:.6g}" for name in NUMBERS)
            probabilities = (f"{value:.6g}" for value in one["probabilities"])
            writer.writerow(
                [image["image"], one["class"], *one["methods"], *probabilities, *numbers]
            )
    return stream.getvalue()


def _compared(folder: ResultFolder, sides: Sides, path: Path, name: str) -> dict[str, Any]:
    """The entry of an image, computed unless it is there; its note is written last."""
    if (note := folder.note(_note(name))) is not None:
        return dict(note)
    seen = sides.comparison.compare(path)
    entry = _entry(path, name, seen)
    if seen.differences:
        folder.draw(_sheet(name), comparison_sheet(seen, sides.names))
    folder.write(_note(name), entry)
    return entry


def _entry(path: Path, name: str, seen: Compared) -> dict[str, Any]:
    return {
        "image": str(path),
        "size": list(seen.image.shape[:2]),
        "disagreement": seen.disagreement,
        "sheet": _sheet(name),
        "classes": [
            {
                "class": one.class_name,
                "methods": [one.pair.first, one.pair.second],
                "probabilities": [*one.probabilities],
                **{number: getattr(one, number) for number in NUMBERS},
            }
            for one in seen.differences
        ],
        "left_out": [problem_note(problem) for problem in seen.problems],
    }


def _overview_rows(
    folder: ResultFolder, images: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, np.ndarray | None]]:
    """Captions and rows of the most and the least different images."""
    most, least = images[:SHOWN], images[max(SHOWN, len(images) - SHOWN) :]
    for title, some in (("most different", most), ("most alike", least[::-1])):
        if some:
            yield title, None
        for one in some:
            caption = f"{Path(one['image']).name}: {one['disagreement']:.0%} of the evidence moved"
            sheet = read_rgb(folder.folder / one["sheet"])
            yield caption, first_row(sheet, (one["size"][0], one["size"][1]))


def _by_disagreement(entry: Mapping[str, Any]) -> tuple[float, str]:
    return -entry["disagreement"], entry["image"]


def _note(name: str) -> str:
    return f"notes/{name}.json"


def _sheet(name: str) -> str:
    return f"sheets/{name}.png"
