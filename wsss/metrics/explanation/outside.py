"""How much of a map is beside an object."""

import numpy as np
from jaxtyping import Bool, Float


def share_outside(
    heat: Float[np.ndarray, "h w"],
    mask: Bool[np.ndarray, "h w"],
    ignored: Bool[np.ndarray, "h w"] | None = None,
) -> float | None:
    """The share of a map that is outside a mask, in [0, 1]; None of a map that is 0 everywhere.

    Args:
        heat: not negative.
        mask: the object, at the map's size.
        ignored: pixels that count neither way.
    """
    counted = heat.astype(np.float64)
    if ignored is not None:
        counted = np.where(ignored, 0, counted)
    total = float(counted.sum())
    return float(counted[~mask].sum()) / total if total > 0 else None
