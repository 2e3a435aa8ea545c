"""Which images have ground truth, by id."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from wsss.data.texts import TextIndex


@dataclass(frozen=True, slots=True)
class MaskTable:
    """Ids of the images that have a mask, at a byte each besides the index of all ids."""

    index: TextIndex
    has_mask: Bool[np.ndarray, " n"]
    """By row of the index."""

    def __contains__(self, item_id: object) -> bool:
        """Whether an image has a mask; one that was not inspected has none."""
        row = self.index.find(str(item_id))
        return row is not None and bool(self.has_mask[row])
