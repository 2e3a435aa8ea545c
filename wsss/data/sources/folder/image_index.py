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

    def __init__(self, folder: Path, files: Iterable[Path]) -> None:
        """Index files.

        Args:
            folder: the images folder.
            files: images in it, relative to it; of those with the same id the first is used, but
                everyday formats before others: a telephone's `1.heic` gives way to `1.jpg`. Names
                that are not UTF-8 are left out, as lists cannot contain them.
        """
        self.folder = folder
        self._files: dict[str, list[Path]] = defaultdict(list)
        self._id_by_file: dict[str, str] = {}
        self._id_by_name: dict[str, str] = {}
        self._not_utf8: list[str] = []
        for file in files:
            if readable(str(file)) != str(file):
                self._not_utf8.append(str(file))
                continue
            item_id = file_id(file)
            self._files[item_id].append(file)
            self._id_by_file[normalize("NFC", file.as_posix())] = item_id
            self._id_by_name.setdefault(_bare_name(item_id), item_id)
        for alike in self._files.values():
            alike.sort(key=_is_uncommon)

    def __len__(self) -> int:
        """Number of ids."""
        return len(self._files)

    def __iter__(self) -> Iterator[str]:
        """All ids."""
        return iter(self._files)

    def path(self, item_id: str) -> Path:
        """The image file of an id."""
        return self.folder / self._files[item_id][0]

    def file(self, item_id: str) -> str:
        """The image file of an id, relative to the images folder."""
        return self._files[item_id][0].as_posix()

    def find(self, entry: str) -> str | None:
        """Id of the image of an entry, with or without extension; None if there is none."""
        for name in (entry, entry.replace("\\", "/")):
            if escapes(name):
                continue
            name = PurePosixPath(normalize("NFC", name)).as_posix()
            if name in self._id_by_file:
                return self._id_by_file[name]
            if name in self._files:
                return name
        return None

    def suggest(self, entry: str) -> str:
        """` (did you mean 'cats/1.jpg'?)` if a file differs in folder, case or extension only.

        Of a file that is there, but is no image by its name: what it is.
        """
        if close := self._id_by_name.get(_bare_name(entry_id(entry))):
            return f" (did you mean '{self.file(close)}'?)"
        path = self.folder / entry
        if path.suffix.lower() in IMAGE_SUFFIXES or escapes(entry) or not _is_there(path):
            return ""
        if content := content_of(path):
            return f" (that file is {content.name})"
        endings = ", ".join(sorted(IMAGE_SUFFIXES))
        return f" (that file is there, but the names of images end in {endings})"

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
    return normalize("NFC", file.with_suffix("").as_posix())


def entry_id(entry: str) -> str:
    """The id of an entry, whether or not there is such an image."""
    path = PurePosixPath(normalize("NFC", entry.replace("\\", "/")))
    return (path.with_suffix("") if path.suffix.lower() in IMAGE_SUFFIXES else path).as_posix()


def escapes(entry: str) -> bool:
    """Whether an entry points out of the images folder."""
    path = PurePosixPath(entry.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or bool(PureWindowsPath(entry).drive)


def _is_there(path: Path) -> bool:
    """Whether there is such a file; no error where a name is longer than the system's."""
    try:
        return path.is_file()
    except OSError:
        return False


def _is_uncommon(file: Path) -> bool:
    """Whether a file is of no everyday format."""
    return file.suffix.lower() not in COMMON_SUFFIXES


def _bare_name(item_id: str) -> str:
    return PurePosixPath(item_id).name.casefold()
