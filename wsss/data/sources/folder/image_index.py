"""Looking up the image file of an entry in a list."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from unicodedata import normalize

from wsss.data.images import COMMON_SUFFIXES, IMAGE_SUFFIXES, content_of
from wsss.errors import Problem, Severity
from wsss.wording import name_some, plural, readable


class ImageIndex:
    """The images below a folder by id: path in the folder, without extension, with `/`.

    Ids are in Unicode's composed form (NFC), as some systems decompose accents in file names.
    """

    def __init__(self, folder: Path, files: Iterable[str], root: Path | None = None) -> None:
        """Index files.

        Args:
            folder: the images folder.
            files: images in it, relative to it, with `/`; of those with the same id the first is
                used, but everyday formats before others: a telephone's `1.heic` gives way to
                `1.jpg`. Names that are not UTF-8 are left out, as lists cannot contain them. Hidden
                images, `.photo.jpg`, are found where an entry names them, and else left out.
            root: folder from which entries may name a path, too; the parent of `folder` if None.
        """
        self.folder = folder
        self._bases = _bases(folder, folder.parent if root is None else root)
        self._prefixes = tuple(f"{base}/" for base in self._bases)
        self._hidden: dict[str, list[str]] = {}
        self._files: dict[str, str] = {}
        self._alike: dict[str, list[str]] = {}
        self._not_utf8: list[str] = []
        for file in files:
            if readable(file) != file:
                self._not_utf8.append(file)
                continue
            item_id = file_id(file)
            if file.rpartition("/")[2].startswith("."):
                self._hidden.setdefault(item_id, []).append(file)
            elif (first := self._files.setdefault(item_id, file)) is not file:
                self._alike.setdefault(item_id, [first]).append(file)
        for item_id, alike in self._alike.items():
            alike.sort(key=_is_uncommon)
            self._files[item_id] = alike[0]

    def __len__(self) -> int:
        """Number of ids."""
        return len(self._files)

    def __iter__(self) -> Iterator[str]:
        """All ids."""
        return iter(self._files)

    def path(self, item_id: str) -> Path:
        """The image file of an id."""
        return self.folder / self.file(item_id)

    def file(self, item_id: str) -> str:
        """The image file of an id, relative to the images folder."""
        return self._hidden[item_id][0] if item_id in self._hidden else self._files[item_id]

    def find(self, entry: str) -> str | None:
        r"""Id of the image of an entry; None if there is none.

        An entry is a path in the images folder, with or without extension, or from the folder that
        holds it, or an absolute one; with `/` or Windows' `\`.
        """
        if known := self._id_of_file(entry):
            return known
        for prefix in self._prefixes:  # A shortcut for large tables.
            if entry.startswith(prefix) and (known := self._id_of_file(entry[len(prefix) :])):
                return known
        for name in (entry, entry.replace("\\", "/")):
            inner = self._inside(PurePosixPath(normalize("NFC", name)))
            for path in inner:
                if known := self._id_of_file(path):
                    return known
                if path in self._files or path in self._hidden:
                    return path
        return None

    def _id_of_file(self, name: str) -> str | None:
        """The id of a file in the images folder, named in composed form, with its ending."""
        item_id = _without_ending(name)
        if self._files.get(item_id) == name:
            return item_id
        others = [*self._alike.get(item_id, ()), *self._hidden.get(item_id, ())]
        if item_id in self._files:
            others.append(self._files[item_id])
        return item_id if any(normalize("NFC", one) == name for one in others) else None

    @cached_property
    def _id_by_name(self) -> dict[str, str]:
        """The first id with a name, whatever its folder and case."""
        found: dict[str, str] = {}
        for item_id in self._files:
            found.setdefault(_bare_name(item_id), item_id)
        return found

    @cached_property
    def _id_by_number(self) -> dict[str, str]:
        """The first id with a number, without the zeros before it."""
        found: dict[str, str] = {}
        for name, item_id in self._id_by_name.items():
            if name.isdecimal():
                found.setdefault(_without_zeros(name), item_id)
        return found

    def suggest(self, entry: str) -> str:
        """` (did you mean 'cats/1.jpg'?)` if a file is alike.

        It differs in folder, case or extension, or in zeros before its number. Of a file that is
        there, but is no image by its name: what it is.
        """
        name = _bare_name(entry_id(entry))
        if close := self._id_by_name.get(name) or self._id_by_number.get(_without_zeros(name)):
            return f" (did you mean '{self.file(close)}'?)"
        path = self.folder / entry
        if path.suffix.lower() in IMAGE_SUFFIXES or self.escapes(entry) or not _is_there(path):
            return ""
        if content := content_of(path):
            return f" (that file is {content.name})"
        endings = ", ".join(sorted(IMAGE_SUFFIXES))
        return f" (that file is there, but the names of images end in {endings})"

    def escapes(self, entry: str) -> bool:
        """Whether an entry points out of the images folder."""
        path = PurePosixPath(entry.replace("\\", "/"))
        if ".." in path.parts or PureWindowsPath(entry).drive:
            return True
        return path.is_absolute() and not any(path.is_relative_to(base) for base in self._bases)

    def _inside(self, path: PurePosixPath) -> list[str]:
        """What a path may be in the images folder: itself, or what follows the folder's path."""
        if ".." in path.parts:
            return []
        found = [] if path.is_absolute() else [path.as_posix()]
        return found + [
            path.relative_to(base).as_posix() for base in self._bases if path.is_relative_to(base)
        ]

    def inspect(self) -> Iterator[Problem]:
        """Images that share an id, and those whose names are not UTF-8."""
        for item_id, files in self._alike.items():
            listed = " and ".join(f"'{file}'" for file in files)
            is_clear = _is_uncommon(files[1]) and not _is_uncommon(files[0])
            yield Problem(
                str(self.folder),
                f"{listed} share the id '{item_id}'",
                "one image for each name without extension",
                f"Nothing to do: those in everyday formats are used, like '{_ending(files[0])}'."
                if is_clear
                else "Rename or remove one of them: masks and results are named after the id.",
                Severity.WARNING if is_clear else Severity.ERROR,
            )
        if names := self._not_utf8:
            yield Problem(
                str(self.folder),
                f"{plural(len(names), 'image has a name', 'images have names')} that "
                f"{'is' if len(names) == 1 else 'are'} not UTF-8: {name_some(names)}",
                "file names in UTF-8, as labels.csv is",
                "Rename them; they are left out.",
                Severity.WARNING,
            )


def file_id(file: str) -> str:
    """Id of an image or mask file given relative to its folder, with `/`."""
    return normalize("NFC", _without_ending(file))


def entry_id(entry: str) -> str:
    """The id of an entry, whether or not there is such an image."""
    path = PurePosixPath(normalize("NFC", entry.replace("\\", "/")))
    return (path.with_suffix("") if path.suffix.lower() in IMAGE_SUFFIXES else path).as_posix()


def _bases(folder: Path, root: Path) -> list[PurePosixPath]:
    """The images folder as entries may name it: from the root, and absolute."""
    bases = [folder, folder.resolve()]
    if folder != root and folder.is_relative_to(root):
        bases.append(folder.relative_to(root))
    return [PurePosixPath(normalize("NFC", base.as_posix())) for base in dict.fromkeys(bases)]


def _is_there(path: Path) -> bool:
    """Whether there is such a file; no error where a name is longer than the system's."""
    try:
        return path.is_file()
    except OSError:
        return False


def _is_uncommon(file: str) -> bool:
    """Whether a file is of no everyday format."""
    return _ending(file).lower() not in COMMON_SUFFIXES


def _ending(file: str) -> str:
    """What `Path.suffix` is, with the point."""
    point = file.rfind(".")
    has_name = point > file.rfind("/") + 1
    return file[point:] if has_name and point < len(file) - 1 else ""


def _without_ending(file: str) -> str:
    return file.removesuffix(_ending(file))


def _without_zeros(name: str) -> str:
    """A number without the zeros before it, which spreadsheets drop."""
    return name.lstrip("0") or "0"


def _bare_name(item_id: str) -> str:
    return item_id.rpartition("/")[2].casefold()
