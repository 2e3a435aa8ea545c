"""What every form is read as: rows of an image and its labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wsss.data.sources.folder.image_index import ImageIndex
from wsss.errors import InvalidOptionError, Problem

COLUMNS, SEPARATOR = "columns of tags", "separator of labels"
"""Needs of errors that the user's choice of columns, and of a separator, mends."""


@dataclass(frozen=True, slots=True)
class TagRow:
    """The labels of an image, as written."""

    place: str
    """Where it is in the file: `line 4`."""
    image: str
    """Path or id of the image."""
    labels: tuple[str, ...]
    """Without repeats; empty for an image without objects."""


@dataclass(frozen=True, slots=True)
class TagTable:
    """The rows of a file, or of a folder, and how they were read."""

    rows: Sequence[TagRow]
    reading: str
    """How they were read, for the user: ``labels separated by `|` ``."""
    problems: Sequence[Problem] = ()
    rows_add_up: bool = False
    """Whether an image may have several rows of one label each."""
    has_cells: bool = False
    """Whether labels stand in cells, where a separator tells them apart."""


@dataclass(frozen=True, slots=True)
class Request:
    """A file of tags to be read, with all that helps to tell its form."""

    path: Path
    """The file, or the folder."""
    index: ImageIndex
    """The images."""
    known: tuple[str, ...] | None = None
    """Names of the classes 1…C; None where no list of classes says so."""
    separator: str | None = None
    """Between labels in a cell; None to find it out."""
    columns: Sequence[str] = ()
    """Names of the column of images and of those of labels; empty to find them out."""

    def refused(
        self, came: str, expected: str, remedy: str, needs: str | None = None
    ) -> InvalidOptionError:
        """Build the error for a file that cannot be read, or in two ways."""
        return InvalidOptionError(
            "labels", self.path, expected, came, remedy, {needs} if needs else ()
        )
