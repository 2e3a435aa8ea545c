"""Mask proposals: regions of an image that a promptable mask model finds, without classes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float16

from wsss.artifacts.array_store import Arrays, ArrayStore


@dataclass(frozen=True, slots=True)
class Proposals:
    """The regions of one image, which may overlap; the largest first."""

    masks: Bool[np.ndarray, "n h w"]
    predicted_iou: Float16[np.ndarray, " n"]
    """What the model takes for the IoU with the region that was meant."""
    stability: Float16[np.ndarray, " n"]
    """IoU of the region thresholded higher and lower, in [0, 1]."""


class ProposalStore(ArrayStore[Proposals]):
    """A folder of proposals: `<id>.npz` with `masks` of 8 pixels a byte, along rows; no pickle."""

    kind = "mask proposals"
    stage = "propose"

    def packed(self, content: Proposals) -> Arrays:
        """Bits of the masks, their shape, and how sure the model was."""
        return {
            "masks": np.packbits(content.masks, axis=-1),
            "shape": np.array(content.masks.shape, dtype=np.int32),
            "predicted_iou": content.predicted_iou,
            "stability": content.stability,
        }

    def unpacked(self, arrays: Mapping[str, np.ndarray]) -> Proposals:
        """The proposals of these."""
        count, height, width = (int(one) for one in arrays["shape"])
        bits = arrays["masks"].reshape(count, height, -(-width // 8))
        masks = np.unpackbits(bits, axis=-1, count=width).astype(bool)
        return Proposals(masks, arrays["predicted_iou"], arrays["stability"])
