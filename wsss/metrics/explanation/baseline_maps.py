"""Maps that explain nothing: what methods have to beat."""

import numpy as np
from jaxtyping import Float

SIGMA = 0.25
"""Standard deviation of the Gaussian, as a part of a side."""


def random_map(size: tuple[int, int], generator: np.random.Generator) -> Float[np.ndarray, "h w"]:
    """Independent uniform values in [0, 1), float32, of `size` (height, width)."""
    return generator.random(size, dtype=np.float32)


def centred_gaussian(size: tuple[int, int]) -> Float[np.ndarray, "h w"]:
    """A Gaussian around the middle of the frame, 1 there, float32: photographers centre objects.

    Its standard deviations are a quarter of the height and of the width.

    Args:
        size: height and width.
    """
    down, across = (
        np.exp(-(((np.arange(side) + 0.5) / side - 0.5) ** 2) / (2 * SIGMA**2)) for side in size
    )
    return np.outer(down, across).astype(np.float32)
