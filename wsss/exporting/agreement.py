"""Whether an exported network computes what the network itself does."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from wsss.data.datasets import to_tensor
from wsss.data.sources.synthetic import Synthetic

SIDES_PX = (97, 128, 150)
"""Sizes of the drawn images: the sides are around these."""
MIN_EQUAL = 0.999
"""Least fraction of decisions that agree: labels of pixels, or whether a class is in an image."""
MAX_RELATIVE_DIFFERENCE = 1e-3
"""Largest difference of two logits, by the largest logit (1 at least)."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two computations of the same logits agree."""

    images: int
    equal: float
    """Fraction of decisions that agree, in [0, 1]."""
    max_difference: float
    """Largest absolute difference of two logits."""
    largest: float
    """Largest absolute logit."""

    @property
    def good(self) -> bool:
        """Whether the differences are those of rounding."""
        bound = MAX_RELATIVE_DIFFERENCE * max(1.0, self.largest)
        return self.equal >= MIN_EQUAL and self.max_difference <= bound


def drawn_images() -> Iterator[UInt8[Tensor, "1 3 _ _"]]:
    """Three images of the embedded data set, each of another size."""
    for side_px in SIDES_PX:
        source = Synthetic(num_train=1, num_val=1, size_px=side_px)
        yield to_tensor(source.read_image(source.items("val")[0]))[None]


def agreement(
    network: Callable[[UInt8[Tensor, "1 3 _ _"]], Float[Tensor, "1 c *_"]],
    exported: Callable[[UInt8[Tensor, "1 3 _ _"]], Float[Tensor, "1 c *_"]],
    images: Sequence[UInt8[Tensor, "1 3 _ _"]],
    one_label: bool,
) -> Agreement:
    """Compare the logits of two functions.

    Args:
        network: logits of images.
        exported: the same, computed elsewhere.
        images: what they are compared on.
        one_label: whether the decision is the largest logit, instead of every positive one.
    """
    equal, difference, largest = [], 0.0, 0.0
    for image in images:
        with torch.no_grad():
            expected, found = network(image), exported(image)
        decided = [one.argmax(dim=1) if one_label else one > 0 for one in (expected, found)]
        equal.append((decided[0] == decided[1]).float().mean().item())
        difference = max(difference, (expected - found).abs().max().item())
        largest = max(largest, expected.abs().max().item())
    return Agreement(len(images), float(np.mean(equal)), difference, largest)
