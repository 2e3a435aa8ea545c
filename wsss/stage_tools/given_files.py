"""A file of the user's own for each training image; without torch."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from wsss.data.sample import Item
from wsss.errors import InvalidOptionError
from wsss.wording import name_some, plural


def files_of(
    option: str, folder: str | None, items: Iterable[Item], suffixes: Sequence[str]
) -> dict[str, Path]:
    """The files of images in a folder, by the images' ids; those that are there.

    An image's file has its id as its name, or the name that this package gives its results; of
    several suffixes the first counts.

    Args:
        option: name of the folder's setting.
        folder: the folder.
        items: the images.
        suffixes: of the files, such as `.png`.

    Raises:
        InvalidOptionError: there is no such folder, or none of the files in it.
    """
    named = " or ".join(f"`<id>{suffix}`" for suffix in suffixes)
    if folder is None or not Path(folder).is_dir():
        raise InvalidOptionError(
            option, folder, f"a folder with a file {named} for each training image",
            "no such folder", "Correct the path.",
        )  # fmt: skip
    found: dict[str, Path] = {}
    missing = ""
    for item in items:
        names = dict.fromkeys((item.file_stem, item.id))
        paths = (Path(folder, f"{name}{suffix}") for suffix in suffixes for name in names)
        if (path := next((one for one in paths if one.is_file()), None)) is not None:
            found[item.id] = path
        else:
            missing = missing or f"{item.file_stem}{suffixes[0]}"
    if not found:
        there = sorted(path.name for path in Path(folder).iterdir())
        raise InvalidOptionError(
            option, folder, f"a file {named} for each training image, such as `{missing}`",
            f"no file of a training image among {name_some(there)}" if there else "an empty folder",
            "Point to the folder that holds them, and name each like its image.",
        )  # fmt: skip
    return found


def check_complete(
    option: str,
    folder: str | None,
    items: Iterable[Item],
    found: Iterable[str],
    max_failed_fraction: float,
) -> None:
    """Refuse a folder that lacks the files of too many images; one without tags needs none.

    Args:
        option: name of the folder's setting.
        folder: the folder.
        items: the images of the run.
        found: ids of those with a file.
        max_failed_fraction: of the images that a stage may leave out.

    Raises:
        InvalidOptionError: names some of them.
    """
    there = {*found}
    everything = list(items)
    missing = [item.id for item in everything if item.labels and item.id not in there]
    if len(missing) > max_failed_fraction * len(everything):
        raise InvalidOptionError(
            option, folder, "a file for every training image that has tags",
            f"no file of {plural(len(missing), 'training image')} of {len(everything):,}: "
            f"{name_some(missing)}",
            "Add them, take the images out of the list of training images, or set "
            "max_failed_fraction, which leaves them out.",
        )  # fmt: skip
