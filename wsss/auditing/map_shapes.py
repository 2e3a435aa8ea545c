"""How compact a map is, and how much two maps overlap."""

import numpy as np
from jaxtyping import Float

UNIFORM = 1 / 6
"""`Var(x) + Var(y)` of evidence that is spread evenly over the unit square."""


def compactness(maps: Float[np.ndarray, "*n h w"]) -> Float[np.ndarray, "*n"]:
    """How near evidence is together, in [0, 1]: `1 - √((Var(x) + Var(y)) / (1/6))`.

    The variances are those of the place of evidence in an image of height and width 1. 1 is a
    point, 0 is evidence as spread as over the whole image, and a map without evidence.

    Args:
        maps: not negative.
    """
    height, width = maps.shape[-2:]
    y = (np.arange(height) + 0.5) / height
    x = (np.arange(width) + 0.5) / width
    total = maps.sum(axis=(-2, -1), dtype=np.float64)
    safe = np.where(total > 0, total, 1)
    down, across = maps.sum(axis=-1, dtype=np.float64), maps.sum(axis=-2, dtype=np.float64)
    variance = 0.0
    for shares, places in ((down, y), (across, x)):
        mean = (shares * places).sum(axis=-1) / safe
        variance = variance + (shares * np.square(places - mean[..., None])).sum(axis=-1) / safe
    found = 1 - np.sqrt(np.minimum(variance / UNIFORM, 1))
    return np.where(total > 0, found, 0.0)


def overlap(one: Float[np.ndarray, "h w"], other: Float[np.ndarray, "h w"]) -> float:
    """Intersection over union of two fuzzy sets, `Σ min / Σ max` (Ruzicka 1958); 0 of no maps."""
    union = float(np.maximum(one, other).sum(dtype=np.float64))
    return float(np.minimum(one, other).sum(dtype=np.float64)) / union if union > 0 else 0.0
