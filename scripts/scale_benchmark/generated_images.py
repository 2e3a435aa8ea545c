"""Data sets of many small images, written in seconds."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = ((214, 40, 40), (42, 157, 143), (233, 196, 106), (69, 90, 200))
"""What objects of the classes are painted in."""
CLASSES = ("red", "green", "yellow", "blue")
DRAWINGS = 64
"""Distinct pictures; the images of a data set are these in turn, each with a comment of its own."""
COMMENT = b"\xff\xfe\x00\x0a%08d"
"""A segment of a JPEG file which readers skip: a marker, its length, eight digits."""


def generate(root: Path, count: int, side_px: int = 48) -> Path:
    """Write a folder data set of `count` images of two classes at most.

    Files have contents of their own, as photographs do, but no more than `DRAWINGS` are encoded.

    Args:
        root: takes the data set.
        count: images, those of both splits.
        side_px: height and width of an image.
    """
    images = root / "images"
    images.mkdir(parents=True)
    drawn = [_drawing(number, side_px) for number in range(DRAWINGS)]
    rows = ["image,labels"]
    for number in range(count):
        encoded, labels = drawn[number % DRAWINGS]
        name = f"{number:06d}.jpg"
        (images / name).write_bytes(encoded[:2] + COMMENT % number + encoded[2:])
        rows.append(f"{name},{'|'.join(labels)}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root


def _drawing(number: int, side_px: int) -> tuple[bytes, list[str]]:
    """An image file with one or two coloured blocks, and their classes."""
    random = np.random.default_rng(number)
    image = random.integers(90, 150, (side_px, side_px, 3), dtype=np.uint8)
    labels = sorted({number % len(CLASSES), number // len(CLASSES) % len(CLASSES)})
    for position, label in enumerate(labels):
        top = side_px * position // 2
        left = int(random.integers(0, side_px // 2))
        image[top : top + side_px // 2, left : left + side_px // 2] = COLOURS[label]
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=90)
    return stream.getvalue(), [CLASSES[label] for label in labels]
