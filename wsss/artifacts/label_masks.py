"""Label masks: palette PNGs in the colours of PASCAL VOC."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from wsss.artifacts.checksums import as_written
from wsss.artifacts.store import Named, Store
from wsss.artifacts.whole_files import atomic


class LabelStore(Store):
    """A folder of label masks: `<id>.png`, 8-bit palette PNG in VOC colours."""

    suffix = ".png"
    kind = "label mask"
    stage = "refine"

    def write(self, item: Named, labels: UInt8[np.ndarray, "h w"]) -> None:
        """Write a mask: 0 background, 1…C classes, 255 void."""
        picture = Image.fromarray(labels, mode=None).convert("L")
        picture.putpalette(voc_palette().tobytes())
        with atomic(self.path(item)) as temporary:
            picture.save(temporary, format="PNG", optimize=False)

    def read(self, item: Named) -> UInt8[np.ndarray, "h w"]:
        """Read a mask.

        Raises:
            WsssError: there is no mask of this item.
            DamagedFileError: it cannot be read.
        """
        path = self.there(item)
        with as_written(path):
            with Image.open(path) as picture:
                picture.verify()  # Decoding alone compares no checksums of the pixels.
            with Image.open(path) as picture:
                return np.array(picture)


def voc_palette() -> UInt8[np.ndarray, "256 3"]:
    """The colours of PASCAL VOC's masks: bits of the label spread over the colour channels."""
    labels = np.arange(256)
    palette = np.zeros((256, 3), dtype=np.uint8)
    for step in range(8):
        for channel in range(3):
            bit = (labels >> (3 * step + channel)) & 1
            palette[:, channel] |= (bit << (7 - step)).astype(np.uint8)
    return palette
