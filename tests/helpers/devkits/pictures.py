"""Small photographs, so to speak: coloured regions on noise."""

from pathlib import Path

import numpy as np
from PIL import Image


def picture(path: Path, mask: np.ndarray, grey: bool = False) -> None:
    """Write a JPEG in which each label of a mask has a colour of its own."""
    rng = np.random.default_rng([*mask.shape, int(mask.sum())])
    pixels = rng.integers(90, 150, (*mask.shape, 3), dtype=np.uint8)
    for label in np.unique(mask[mask > 0]):
        pixels[mask == label] = np.random.default_rng(int(label)).integers(0, 256, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = Image.fromarray(pixels)
    (shown.convert("L") if grey else shown).save(path, quality=90)
