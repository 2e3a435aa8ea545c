"""Two contestants that know nothing of the network: a method that loses to them explains nothing.

They are no methods to choose: they stand beside measured ones, in every table of these.
"""

from collections.abc import Mapping
from zlib import crc32

import numpy as np
import torch
from torch import Tensor

from wsss.cams.core.method import CamMethod, Classes, Images, Maps
from wsss.metrics.explanation.baseline_maps import centred_gaussian, random_map
from wsss.models.classifier import SplitClassifier

SEED = 0


class RandomMap(CamMethod):
    """Uniform noise at the feature map's resolution, smooth where it is resized to the image.

    The draw depends on seed, image and class alone: not on what else is explained, or in which
    order.
    """

    def __init__(self, seed: int = SEED) -> None:
        self.seed = seed

    def maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Values in [0, 1)."""
        size = _feature_size(model, images)
        # Whole grey levels: the last digits of a resized image differ between machines.
        levels = images.mul(255).round().to(torch.uint8).cpu().numpy()
        keys = [crc32(np.ascontiguousarray(one).tobytes()) for one in levels]
        drawn = [
            [random_map(size, np.random.default_rng([self.seed, key, one])) for one in own]
            for key, own in zip(keys, classes.tolist(), strict=True)
        ]
        return torch.from_numpy(np.array(drawn)).to(images)


class CentredGaussian(CamMethod):
    """A Gaussian around the middle of the frame, for every image and class."""

    def maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Values in (0, 1], at the feature map's resolution."""
        gaussian = torch.from_numpy(centred_gaussian(_feature_size(model, images))).to(images)
        return gaussian.expand(*classes.shape, -1, -1)


BASELINES: Mapping[str, CamMethod] = {
    "random_map": RandomMap(),
    "centred_gaussian": CentredGaussian(),
}
"""By the names that tables give them."""


def _feature_size(model: SplitClassifier, images: Tensor) -> tuple[int, int]:
    """Height and width of what the head sees."""
    height, width = model.features(images[:1]).shape[2:]
    return int(height), int(width)
