"""Mask proposals: regions of an image that a promptable mask model finds, without classes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float16

from wsss.artifacts.checksums import as_written
from wsss.artifacts.store import Named, Store
from wsss.artifacts.whole_files import atomic, opened


@dataclass(frozen=True, slots=True)
class Proposals:
    """The regions of one image, which may overlap; the largest first."""

    masks: Bool[np.ndarray, "n h w"]
    predicted_iou: Float16[np.ndarray, " n"]
    """What the model takes for the IoU with the region that was meant."""
    stability: Float16[np.ndarray, " n"]
    """IoU of the region thresholded higher and lower, in [0, 1]."""


class ProposalStore(Store):
    """A folder of proposals: `<id>.npz` with `masks` of 8 pixels a byte, along rows; no pickle."""

    suffix = ".npz"
    kind = "mask proposals"
    stage = "propose"

    def write(self, item: Named, proposals: Proposals) -> None:
        """Write the proposals of an item."""
        with atomic(self.path(item)) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(
                stream,
                masks=np.packbits(proposals.masks, axis=-1),
                shape=np.array(proposals.masks.shape, dtype=np.int32),
                predicted_iou=proposals.predicted_iou,
                stability=proposals.stability,
            )

    def read(self, item: Named) -> Proposals:
        """Read the proposals of an item.

        Raises:
            WsssError: there are none of this item.
            DamagedFileError: they cannot be read.
        """
        path = self.there(item)
        with as_written(path), opened(path) as content:
            count, height, width = (int(one) for one in content["shape"])
            bits = content["masks"].reshape(count, height, -(-width // 8))
            masks = np.unpackbits(bits, axis=-1, count=width).astype(bool)
            return Proposals(masks, content["predicted_iou"], content["stability"])
