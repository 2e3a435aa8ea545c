"""Mask proposals by a promptable mask model: Segment Anything or MobileSAM.

Their weights were trained with masks.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import nn

from wsss.argument_checks import check_choice, check_fraction, check_whole
from wsss.artifacts.proposals import Proposals
from wsss.errors import UnsupportedError
from wsss.models.hub import HUB_WEIGHTS
from wsss.models.weights import (
    PACKAGE_WEIGHTS,
    load_state_dict,
    refused_weights,
    weights_file,
)

PACKAGES = {
    "vit_b": "segment_anything",
    "vit_l": "segment_anything",
    "vit_h": "segment_anything",
    "vit_t": "mobile_sam",
}
"""The package of each model."""
INSTALLS = {
    "segment_anything": "`pip install 'wsss[sam]'`",
    "mobile_sam": "`pip install git+https://github.com/ChaoningZhang/MobileSAM.git`",
}
"""How a package is had."""


class MaskProposer:
    """Prompts a model with a grid of points, and keeps the regions that it is sure of.

    Kirillov et al., Segment Anything, ICCV 2023; Zhang et al., Faster Segment Anything: Towards
    Lightweight SAM for Mobile Applications, 2023. Grid, thresholds and suppression of duplicates
    are those of the authors' generator.
    """

    def __init__(
        self,
        model: str,
        weights: str | None,
        points_per_side: int = 32,
        points_per_batch: int = 64,
        min_predicted_iou: float = 0.88,
        min_stability: float = 0.95,
        max_box_iou: float = 0.7,
        min_region_px: int = 0,
    ) -> None:
        """Set what is kept; the model is loaded by `load`.

        Args:
            model: `vit_b`, `vit_l` or `vit_h` of Segment Anything, or `vit_t` of MobileSAM.
            weights: a file, as the authors offer it.
            points_per_side: of the grid of points over the image.
            points_per_batch: that are answered together, which memory grows with.
            min_predicted_iou: which the model itself gives a region, in [0, 1].
            min_stability: IoU of a region thresholded higher and lower, in [0, 1].
            max_box_iou: of two regions whose boxes overlap more, the surer one is kept.
            min_region_px: smaller islands and holes of a region are removed.

        Raises:
            InvalidOptionError: there is no such model, or a number is out of range.
        """
        check_choice([*PACKAGES], model=model)
        if weights in (None, HUB_WEIGHTS, PACKAGE_WEIGHTS):
            raise refused_weights(
                str(weights), "there is neither a hub nor a package of them",
                "a file, as the authors offer it",
                "Download it from their repository, and name it: sam_vit_b_01ec64.pth.",
            )  # fmt: skip
        check_whole(1, points_per_side=points_per_side, points_per_batch=points_per_batch)
        check_whole(0, min_region_px=min_region_px)
        check_fraction(
            min_predicted_iou=min_predicted_iou,
            min_stability=min_stability,
            max_box_iou=max_box_iou,
        )
        self.model = model
        self.weights = str(weights)
        self.options = {
            "points_per_side": points_per_side,
            "points_per_batch": points_per_batch,
            "pred_iou_thresh": min_predicted_iou,
            "stability_score_thresh": min_stability,
            "box_nms_thresh": max_box_iou,
            "min_mask_region_area": min_region_px,
        }
        self.network: nn.Module | None = None
        """Beside the generator, so that copies for other threads share its weights."""
        self.generator: Any = None

    def check(self) -> None:
        """Refuse a package or a file that is not there.

        Raises:
            WsssError: says how to get it.
        """
        package = PACKAGES[self.model]
        if find_spec(package) is None:
            raise UnsupportedError(
                self.model, f"the package `{package}` is not installed", "it, for the mask model",
                f"Install it: {INSTALLS[package]}.", {package},
            )  # fmt: skip
        weights_file(self.model, self.weights)

    def load(self, device: torch.device) -> None:
        """Load the model with its weights onto a device.

        Raises:
            WsssError: the weights cannot be read, or belong to another model.
        """
        self.check()
        package = import_module(PACKAGES[self.model])
        with torch.random.fork_rng([]):  # Its random weights are replaced.
            network = package.sam_model_registry[self.model]()
        state = load_state_dict(self.model, self.weights)
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise refused_weights(
                self.weights,
                f"they are not those of {self.model}",
                "the file that the authors offer for this model",
                f"Name the model they belong to: {', '.join(PACKAGES)}.",
            ) from error
        self.network = network.to(device).eval().requires_grad_(False)
        self.generator = package.SamAutomaticMaskGenerator(self.network, **self.options)

    def __call__(self, image: UInt8[np.ndarray, "h w 3"]) -> Proposals:
        """The regions of an RGB image, the largest first."""
        device = self.generator.predictor.model.device
        with torch.autocast(device.type, enabled=False):  # NumPy, which it uses, has no bfloat16.
            found = self.generator.generate(np.ascontiguousarray(image))
        found.sort(key=lambda one: -int(one["area"]))
        empty = np.zeros((0, *image.shape[:2]), dtype=bool)
        return Proposals(
            np.stack([one["segmentation"] for one in found]) if found else empty,
            np.array([one["predicted_iou"] for one in found], dtype=np.float16),
            np.array([one["stability_score"] for one in found], dtype=np.float16),
        )
