"""Health of pseudo masks that no ground truth is needed for, read from what stages left."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsss.artifacts import METRICS, read_json

CLASS_SHARE = "class_share"
FROM_LOCALIZE = ("scale_agreement",)
FROM_REFINE = (
    "seed_agreement",
    "seed_entropy",
    "coverage",
    "void_fraction",
    "foreground_fraction",
)


def health(folders: Mapping[str, Path]) -> dict[str, float]:
    """Numbers in [0, 1] that tell of the health of pseudo masks; those not measured are left out.

    | number | better | what it is |
    |---|---|---|
    | `scale_agreement` | higher | intersection over union of the maps of all scales (fuzzy sets) |
    | `seed_agreement` | higher | mean IoU of thresholded seeds and pseudo masks |
    | `seed_entropy` | lower | entropy of a pixel's label by the seeds, of the largest possible |
    | `coverage` | higher | pixels with a label, `1 - void_fraction` |
    | `void_fraction` | lower | pixels without one |
    | `foreground_fraction` | neither | pixels of a class; close to 0 or 1 is ill |
    | `restored_fraction` | lower | images in which a tag would have vanished |
    | `class_balance` | neither | entropy of the classes' shares, of the largest possible |
    | `class_share/<name>` | neither | share of labelled pixels, background first; 0 is ill |

    None of them sees whether masks are right. Seeds that lie on the context of a class (rails for a
    train) at every scale agree perfectly, and so do masks with the seeds that a weak refinement
    left as they were. Thresholds move entropy, coverage and foreground with no gain. The numbers
    compare runs that differ in one place, and find those that broke.

    Args:
        folders: of finished stages, by name; `localize` and `refine` are read.

    Raises:
        DamagedFileError: a file is not what its stage wrote.
    """
    of_seeds, of_masks = (_metrics(folders.get(stage)) for stage in ("localize", "refine"))
    found = {name: of_seeds[name] for name in FROM_LOCALIZE if name in of_seeds}
    found |= {name: of_masks[name] for name in FROM_REFINE if name in of_masks}
    if of_masks.get("images"):
        found["restored_fraction"] = of_masks["images_restored"] / of_masks["images"]
    shares: dict[str, float] = of_masks.get("class_shares", {})
    _, *of_classes = shares.values() or (0.0,)
    if len(of_classes) > 1:
        found["class_balance"] = balance(of_classes)
    return found | {f"{CLASS_SHARE}/{name}": share for name, share in shares.items()}


def balance(shares: list[float]) -> float:
    """The entropy of shares as a fraction of that of equal ones, in [0, 1]; 0 without any.

    Args:
        shares: not negative, two or more, of any sum.
    """
    total = sum(shares)
    parts = [share / total for share in shares if share > 0]
    return min(1.0, -sum(part * math.log(part) for part in parts) / math.log(len(shares)) + 0.0)


def _metrics(folder: Path | None) -> dict[str, Any]:
    """A stage's statistics; none where it has not run."""
    path = folder / METRICS if folder else None
    return dict(read_json(path)) if path and path.is_file() else {}
