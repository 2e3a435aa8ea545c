"""The images that words mean: files, folders, patterns, lists; each with an id of its own."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from glob import has_magic
from pathlib import Path
from unicodedata import normalize

from wsss.data.images import IMAGE_SUFFIXES
from wsss.data.item_table import ItemTable
from wsss.data.sample import Item, safe_file_stem
from wsss.data.sources.file_source import walk_files
from wsss.data.sources.lists import read_lines
from wsss.errors import Problem, Severity, WsssError
from wsss.wording import readable

LIST_SUFFIX = ".txt"
COMMENT = "#"

Named = tuple[Path, Path]
"""An image file, and its path relative to what it was found in."""


def find_images(
    words: Sequence[str], results: Path | None = None
) -> tuple[ItemTable, list[Problem]]:
    """The images of words in their order, those of a folder sorted; each once.

    A word is a file, a folder, whose images at any depth are meant, a pattern that the shell did
    not expand, or a `.txt` file with one of these a line, in which `#` begins a comment. Files that
    are named need not exist.

    Args:
        words: as above.
        results: folder of results; a folder or pattern around it does not mean its pictures.

    Returns:
        The images, and the problems of words that mean none.
    """
    found: dict[Path, Named] = {}
    problems: list[Problem] = []
    place = None if results is None else results.resolve()
    for word in words:
        try:
            for path, name in _images_of(word, place):
                if readable(str(path)) == str(path):
                    found.setdefault(path.absolute(), (path, name))
                else:
                    problems.append(_not_utf8(path))
        except WsssError as error:
            problems += error.problems
    ids = unique_ids([*found.values()])
    paths = (path for path, _ in found.values())
    items = (Item(item_id, (), path) for item_id, path in zip(ids, paths, strict=True))
    return ItemTable.of(items, Path.cwd()), problems


def unique_ids(found: Sequence[Named]) -> list[str]:
    """An id for each image, whose file names differ, also where a file system ignores case.

    The first of these that no other image has: the relative path without its ending, the path
    without its ending, the path, the absolute path.
    """
    choices = [
        (_plain(name, False), _plain(path, False), _plain(path, True), str(path.absolute()))
        for path, name in found
    ]
    levels = [0] * len(choices)
    while True:
        ids = [names[level] for names, level in zip(choices, levels, strict=True)]
        stems = [safe_file_stem(one).casefold() for one in ids]
        counts = Counter(stems)
        shared = [i for i, stem in enumerate(stems) if counts[stem] > 1 and levels[i] < 3]
        if not shared:
            return ids
        for index in shared:
            levels[index] += 1


def _plain(path: Path, ending: bool) -> str:
    return normalize("NFC", (path if ending else path.with_suffix("")).as_posix())


def _images_of(word: str, results: Path | None, in_list: bool = False) -> Iterator[Named]:
    """The images that a word means.

    Raises:
        WsssError: there is none.
    """
    path = Path(word)
    if path.is_dir():
        yield from _below(path, results)
    elif path.suffix.lower() == LIST_SUFFIX and not in_list:
        for _, line in read_lines(path):
            if not line.startswith(COMMENT):
                yield from _images_of(line, results, in_list=True)
    elif has_magic(word) and not path.exists():
        yield from _matching(word, results)
    else:
        yield path, Path(path.name)


def _below(folder: Path, results: Path | None) -> Iterator[Named]:
    names = _without(results, folder, walk_files(folder, IMAGE_SUFFIXES))
    if not names:
        endings = ", ".join(sorted(IMAGE_SUFFIXES))
        raise _nothing(str(folder), "a folder without an image", f"files that end in {endings}")
    for name in names:
        yield folder / name, name


def _matching(pattern: str, results: Path | None) -> Iterator[Named]:
    parts = Path(pattern).parts
    place = next(i for i, part in enumerate(parts) if has_magic(part))
    root = Path(*parts[:place])
    matches = sorted(root.glob("/".join(parts[place:])))
    files = (match.relative_to(root) for match in matches if match.is_file())
    names = _without(results, root, files)
    shown = [name for name in names if not any(part.startswith(".") for part in name.parts)]
    if not shown:
        raise _nothing(pattern, "no file has such a name", "a pattern such as `photos/**/*.jpg`")
    for name in shown:
        yield root / name, name


def _without(results: Path | None, folder: Path, names: Iterable[Path]) -> list[Path]:
    """Names of files in a folder that are not below `results`, unless the folder is."""
    around = folder.resolve()
    if results is None or results == around or not results.is_relative_to(around):
        return [*names]
    inside = results.relative_to(around)
    return [name for name in names if not name.is_relative_to(inside)]


def _nothing(where: str, came: str, expected: str) -> WsssError:
    remedy = "Correct the path; it is relative to the folder in which the command is given."
    return WsssError(Problem(where, came, expected, remedy, Severity.SKIPPED))


def _not_utf8(path: Path) -> Problem:
    return Problem(
        readable(str(path)), "a name that is not UTF-8", "file names in UTF-8", "Rename the file.",
        Severity.SKIPPED,
    )  # fmt: skip
