"""A classifier whose passes are counted, in batches that memory bounds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from wsss.cams.core.method import CamMethod
from wsss.models.classifier import SplitClassifier

PIXELS_PER_PASS_ON_CPU = 2**18
"""Most image pixels in a forward pass, five images of 224 px: a CPU computes some images that its
caches hold no slower than many."""
PIXELS_PER_PASS = 2**21
"""The same on other devices, which need more to be busy; memory is bounded by it."""

Tell = Callable[[int, str], None]
"""Takes the number of images that have passed through the network, and what is computed next."""


def to_nobody(_passes: int, _now: str) -> None:
    """Tell nobody."""


def images_per_pass(size: tuple[int, int], device: torch.device) -> int:
    """Number of images of `size` (height, width) that are computed together."""
    pixels = PIXELS_PER_PASS_ON_CPU if device.type == "cpu" else PIXELS_PER_PASS
    return max(1, pixels // (size[0] * size[1]))


@dataclass(slots=True)
class CountedNetwork:
    """A classifier whose passes are counted and told."""

    model: SplitClassifier
    batch_size: int
    """Images a forward pass."""
    tell: Tell
    done: int = 0
    now: str = ""

    def begin(self, now: str) -> None:
        """Tell what is computed next."""
        self.now = now
        self.passed(0)

    def passed(self, images: int) -> None:
        """Count images."""
        self.done += images
        self.tell(self.done, self.now)

    def confidence(
        self, images: Float[Tensor, "m 3 h w"], classes: Int64[Tensor, " m"]
    ) -> Float[Tensor, " m"]:
        """Probability of one class for each image."""
        found = []
        for some, of in _batches(images, classes, self.batch_size):
            found.append(class_probabilities(self.model, some, of))
            self.passed(len(some))
        return torch.cat(found)

    def maps(
        self, method: CamMethod, images: Float[Tensor, "p 3 H W"], classes: Int64[Tensor, " p"]
    ) -> Float[Tensor, "p h w"]:
        """The method's map of one class for each image."""
        found = []
        for some, of in _batches(images, classes, self.batch_size):
            found.append(method(self.model, some, of[:, None])[:, 0])
            self.passed(len(some))
        return torch.cat(found)


def class_probabilities(
    model: SplitClassifier, images: Float[Tensor, "m 3 h w"], classes: Int64[Tensor, " m"]
) -> Float[Tensor, " m"]:
    """Probability of one class for each image."""
    return model.probabilities(model(images)).gather(1, classes[:, None])[:, 0]


def _batches(
    images: Float[Tensor, "m 3 h w"], classes: Int64[Tensor, " m"], batch_size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    parts = torch.split(images, batch_size), torch.split(classes, batch_size)
    yield from zip(*parts, strict=True)
