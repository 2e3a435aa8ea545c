"""A folder with one file of arrays for each image."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from wsss.artifacts.checksums import as_written
from wsss.artifacts.store import Named, Store
from wsss.artifacts.whole_files import atomic, opened

T = TypeVar("T")
Arrays = dict[str, np.ndarray[Any, Any]]


class ArrayStore(Store, ABC, Generic[T]):
    """A folder of `<id>.npz`, without pickles, each with the arrays of one item's content."""

    suffix = ".npz"
    deflated: ClassVar[bool] = True
    """Whether the arrays are compressed, without loss."""

    @abstractmethod
    def packed(self, content: T) -> Arrays:
        """The arrays of a content, by their names in the file."""

    @abstractmethod
    def unpacked(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> T:
        """The content of arrays, which are read when they are asked for."""

    def write(self, item: Named, content: T) -> None:
        """Write the content of an item."""
        save = np.savez_compressed if self.deflated else np.savez
        with atomic(self.path(item)) as temporary, temporary.open("wb") as stream:
            save(stream, **self.packed(content))  # type: ignore[arg-type]

    def read(self, item: Named) -> T:
        """Read the content of an item.

        Raises:
            WsssError: there is none of this item.
            DamagedFileError: it cannot be read.
        """
        path = self.there(item)
        with as_written(path), opened(path) as arrays:
            return self.unpacked(arrays)
