"""A folder with one file for each image."""

from pathlib import Path
from typing import ClassVar, Protocol

from wsss.errors import user_error


class Named(Protocol):
    """An item with a file name for its results."""

    @property
    def file_stem(self) -> str:
        """The name, safe for a file."""


class Store:
    """A folder with one file an item."""

    suffix: ClassVar[str]
    kind: ClassVar[str]
    """What a file holds."""
    stage: ClassVar[str]
    """Who writes the files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, item: Named) -> Path:
        """The file of an item, whether or not it exists."""
        return self.folder / f"{item.file_stem}{self.suffix}"

    def has(self, item: Named) -> bool:
        """Whether the file of an item was written."""
        return self.path(item).is_file()

    def there(self, item: Named) -> Path:
        """The file of an item that was written.

        Raises:
            WsssError: it was not.
        """
        if not self.has(item):
            raise user_error(
                self.path(item),
                f"no {self.kind} of this image",
                f"one file for every image that `{self.stage}` works on",
                f"Run the stage `{self.stage}` first, with the same settings.",
            )
        return self.path(item)
