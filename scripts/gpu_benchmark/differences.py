"""How far seeds and label masks of two folders are apart."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wsss.artifacts import opened


def seed_differences(first: Path, second: Path) -> dict[str, Any]:
    """Compare the seeds of two folders of `<id>.npz`.

    Returns:
        `images`; `largest` and `mean` absolute difference of a value, of maps in [0, 1]; names that
        only one folder has (`only_in_one`), or whose maps differ in shape (`other_shape`).
    """
    shared, only_in_one = _names(first, second, ".npz")
    largest = total = 0.0
    count, other_shape = 0, []
    for name in shared:
        with opened(first / name) as mine, opened(second / name) as theirs:
            one, other = (maps["maps"].astype(np.float64) for maps in (mine, theirs))
        if one.shape != other.shape:
            other_shape.append(name)
        elif one.size:
            apart = np.abs(one - other)
            largest = max(largest, float(apart.max()))
            total += float(apart.sum())
            count += apart.size
    return {
        "images": len(shared),
        "largest": largest,
        "mean": total / max(1, count),
        "only_in_one": only_in_one,
        "other_shape": other_shape,
    }


def mask_differences(first: Path, second: Path) -> dict[str, Any]:
    """Compare the label masks of two folders of `<id>.png`.

    Returns:
        `images`, `pixels`, the share of pixels with another label (`differ`) over all images, that
        of the worst image (`worst`), and `only_in_one` and `other_shape` as of seeds.
    """
    shared, only_in_one = _names(first, second, ".png")
    differ = pixels = 0
    worst, other_shape = 0.0, []
    for name in shared:
        with Image.open(first / name) as mine, Image.open(second / name) as theirs:
            one, other = np.array(mine), np.array(theirs)
        if one.shape != other.shape:
            other_shape.append(name)
            continue
        apart = one != other
        differ += int(apart.sum())
        pixels += apart.size
        worst = max(worst, float(apart.mean()))
    return {
        "images": len(shared),
        "pixels": pixels,
        "differ": differ / max(1, pixels),
        "worst": worst,
        "only_in_one": only_in_one,
        "other_shape": other_shape,
    }


def mismatches(what: str, found: dict[str, Any]) -> list[str]:
    """What keeps two folders from being compared, in words."""
    said = [f"no {what} to compare"] if not found["images"] else []
    for key, words in (("only_in_one", "of one run alone"), ("other_shape", "of other shapes")):
        if found[key]:
            said.append(f"{len(found[key])} {what} {words}, such as {found[key][0]}")
    return said


def _names(first: Path, second: Path, suffix: str) -> tuple[list[str], list[str]]:
    mine, theirs = ({path.name for path in folder.glob(f"*{suffix}")} for folder in (first, second))
    return sorted(mine & theirs), sorted(mine ^ theirs)
