"""Decoded images in memory, so that each is decoded once and not in every epoch."""

from collections.abc import Callable

import numpy as np

Arrays = tuple[np.ndarray, ...]


class KeptImages:
    """What was decoded of each image of a data set, by its index, as long as memory is left for it.

    The first images that come are kept, and none is given up for another: in an epoch, every image
    comes once, so that none is asked for sooner than the others.
    """

    def __init__(self, limit_bytes: int = 0) -> None:
        """Keep at most `limit_bytes`."""
        self.limit_bytes = limit_bytes
        self._arrays: dict[int, Arrays] = {}
        self._bytes = 0

    def __len__(self) -> int:
        """Number of images that are kept."""
        return len(self._arrays)

    def __reduce__(self) -> tuple[type["KeptImages"], tuple[int]]:
        # A process that is started anew decodes by itself: to send everything would take longer.
        return type(self), (self.limit_bytes,)

    def get(self, index: int, decode: Callable[[], Arrays]) -> Arrays:
        """The arrays of an image, decoded unless they are kept; not to be written to."""
        kept = self._arrays.get(index)
        if kept is not None:
            return kept
        decoded = decode()
        size = sum(array.nbytes for array in decoded)
        if self._bytes + size <= self.limit_bytes:
            for array in decoded:
                array.flags.writeable = False
            self._arrays[index] = decoded
            self._bytes += size
        return decoded
