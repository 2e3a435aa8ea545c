"""Tables of all images, from the notes of each: areas, tags, totals."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsss.artifacts import atomic
from wsss.data.sample import BACKGROUND_LABEL, Item
from wsss.predict.output_folder import OutputFolder

BACKGROUND = "background"
PREDICTIONS = (
    "image", "mask", "width", "height", "class", "label", "area_px", "area_percent", "confidence",
)  # fmt: skip
"""Columns of `predictions.csv`."""
SEPARATOR = "|"
"""Between tags of an image, as in a data set's labels.csv."""


@dataclass(frozen=True, slots=True)
class ClassTotal:
    """A class over all images."""

    name: str
    images: int
    """That show it."""
    share: float
    """Of all pixels, in [0, 1]."""


def write_predictions(
    path: Path, items: Iterable[Item], output: OutputFolder, class_names: Sequence[str]
) -> None:
    """Write a row for each image and label in it, by falling area.

    The background is a label, too, so that every image has a row.
    """
    names = (BACKGROUND, *class_names)

    def rows() -> Iterator[Sequence[Any]]:
        for item in items:
            note = output.areas.read(item)
            width, height = note["width"], note["height"]
            mask = output.masks.path(item).relative_to(output.root).as_posix()
            for one in sorted(note["labels"], key=lambda one: -one["pixels"]):
                percent = f"{100 * one['pixels'] / (width * height):.4f}"
                confidence = "" if one["confidence"] is None else f"{one['confidence']:.4f}"
                yield (
                    note["image"], mask, width, height, names[one["label"]], one["label"],
                    one["pixels"], percent, confidence,
                )  # fmt: skip

    write_table(path, PREDICTIONS, rows())


def write_tags(
    path: Path,
    items: Iterable[Item],
    output: OutputFolder,
    class_names: Sequence[str],
    threshold: float,
) -> None:
    """Write a row for each image: its tags, and the probability of every class.

    The first two columns are those of a data set's labels.csv.
    """

    def rows() -> Iterator[Sequence[Any]]:
        for item in items:
            note = output.tags.read(item)
            values = note["probabilities"]
            tags = [n for n, value in zip(class_names, values, strict=True) if value >= threshold]
            yield note["image"], SEPARATOR.join(tags), *(f"{value:.4f}" for value in values)

    write_table(path, ("image", "labels", *class_names), rows())


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table as CSV in UTF-8, whole or not at all."""
    with (
        atomic(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def totals(
    items: Iterable[Item], output: OutputFolder, class_names: Sequence[str]
) -> list[ClassTotal]:
    """Images and share of area of background and every class over all images."""
    pixels, images = [0] * (len(class_names) + 1), [0] * (len(class_names) + 1)
    for item in items:
        for one in output.areas.read(item)["labels"]:
            pixels[one["label"]] += one["pixels"]
            images[one["label"]] += 1
    total = max(1, sum(pixels))
    return [
        ClassTotal(name, images[label], pixels[label] / total)
        for label, name in enumerate((BACKGROUND, *class_names), BACKGROUND_LABEL)
    ]
