"""Looking up the image file of an entry in a list."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from unicodedata import normalize

from wsss.data.images import COMMON_SUFFIXES, IMAGE_SUFFIXES, content_of
from wsss.errors import Problem, Severity
from wsss.wording import name_some, plural, readable


class ImageIndex:
    """The images below a folder by id: path in the folder, without extension, with `/`.

    Ids are in Unicode's composed form (NFC), as some systems decompose accents in file names.
    """

    def __init__(self, folder: Path, files: Iterable[Path], root: Path | None = None) -> None:
        """Index files.

        Args:
            folder: the images folder.
            files: images in it, relative to it; of those with the same id the first is used, but
                everyday formats before others: a telephone's `1.heic` gives way to `1.jpg`. Names
                that are not UTF-8 are left out, as lists cannot contain them. Hidden images,
                `.photo.jpg`, are found where an entry names them, and else left out.
            root: folder from which entries may name a path, too; the parent of `folder` if None.
        """
        self.folder = folder
        self._bases = _bases(folder, folder.parent if root is None else root)
        self._prefixes = tuple(f"{base}/" for base in self._bases)
        self._hidden: dict[str, Path] = {}
        self._files: dict[str, list[Path]] = defaultdict(list)
        self._id_by_file: dict[str, str] = {}
        self._id_by_name: dict[str, str] = {}
        self._id_by_number: dict[str, str] = {}
        self._not_utf8: list[str] = []
        for file in files:
            if readable(str(file)) != str(file):
                self._not_utf8.append(str(file))
                continue
            item_id = file_id(file)
            if file.name.startswith("."):
                self._hidden.setdefault(item_id, file)
                self._id_by_file[normalize("NFC", file.as_posix())] = item_id
                continue
            self._files[item_id].append(file)
            self._id_by_file[normalize("NFC", file.as_posix())] = item_id
            name = _bare_name(item_id)
            self._id_by_name.setdefault(name, item_id)
            if name.isdecimal():
                self._id_by_number.setdefault(_without_zeros(name), item_id)
        for alike in self._files.values():
            if len(alike) > 1:
                alike.sort(key=_is_uncommon)

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
        if item_id in self._hidden:
            return self._hidden[item_id].as_posix()
        return self._files[item_id][0].as_posix()

    def find(self, entry: str) -> str | None:
        r"""Id of the image of an entry; None if there is none.

        An entry is a path in the images folder, with or without extension, or from the folder that
        holds it, or an absolute one; with `/` or Windows' `\`.
        """
        if known := self._id_by_file.get(entry):
            return known
        for prefix in self._prefixes:  # A shortcut for large tables.
            if known := self._id_by_file.get(entry.removeprefix(prefix)):
                return known
        for name in (entry, entry.replace("\\", "/")):
            inner = self._inside(PurePosixPath(normalize("NFC", name)))
            for path in inner:
                if path in self._id_by_file:
                    return self._id_by_file[path]
                if path in self._files or path in self._hidden:
                    return path
        return None

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

    def audit(self) -> Iterator[Problem]:
        """Images that share an id, and those whose names are not UTF-8."""
        for item_id, files in self._files.items():
            if len(files) > 1:
                listed = " and ".join(f"'{file.as_posix()}'" for file in files)
                is_clear = _is_uncommon(files[1]) and not _is_uncommon(files[0])
                yield Problem(
                    str(self.folder),
                    f"{listed} share the id '{item_id}'",
                    "one image for each name without extension",
                    f"Nothing to do: those in everyday formats are used, like '{files[0].suffix}'."
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


def file_id(file: Path) -> str:
    """Id of an image or mask file given relative to its folder."""
    return normalize("NFC", file.as_posix().removesuffix(file.suffix))


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


def _is_uncommon(file: Path) -> bool:
    """Whether a file is of no everyday format."""
    return file.suffix.lower() not in COMMON_SUFFIXES


def _without_zeros(name: str) -> str:
    """A number without the zeros before it, which spreadsheets drop."""
    return name.lstrip("0") or "0"


def _bare_name(item_id: str) -> str:
    return item_id.rpartition("/")[2].casefold()
