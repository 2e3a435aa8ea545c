"""Your own data: a folder of images and a table of their labels."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from wsss.argument_checks import check_inside_unit
from wsss.data.alike_problems import group_alike
from wsss.data.images import IMAGE_SUFFIXES
from wsss.data.item_table import ItemTable
from wsss.data.sample import safe_file_stem
from wsss.data.source import TRAIN, VAL
from wsss.data.sources.file_source import FileSource, walk_names
from wsss.data.sources.folder.image_index import ImageIndex, file_id
from wsss.data.sources.folder.labels import read_labels
from wsss.data.sources.folder.splits import read_splits, split_by_hash
from wsss.data.sources.folder.tags.find_file import LABELS, find_tags
from wsss.errors import InvalidOptionError, Problem, Severity
from wsss.wording import did_you_mean, name_some, plural, readable

MASKS, SPLIT_LISTS = "masks", "splits"
"""Default folders, which may be missing."""


class Folder(FileSource):
    """Images and their labels; optionally `classes.txt`, masks, and lists of ids for the splits.

    The id of an image is its path in the images folder without extension: `cats/001`.
    """

    def __init__(
        self,
        root: str | Path,
        images: str = "images",
        labels: str = LABELS,
        masks: str = MASKS,
        splits: str = SPLIT_LISTS,
        train: str = "train",
        val: str = "val",
        val_fraction: float = 0.2,
        name: str | None = None,
        separator: str | None = None,
        columns: Sequence[str] | None = None,
    ) -> None:
        """Read the lists; no image is opened. `inspect` reports their problems.

        Args:
            root: the folder that holds everything.
            images: folder of the images, which may have folders of its own.
            labels: table of the labels, in one of the forms of `tags/`; a folder of XML files, or
                that of the images, where each lies in a folder named after its class. Where the
                default is missing other names and forms are looked for.
            masks: folder of the ground truth `<id>.png`, for the evaluation only; may be missing.
            splits: folder of the lists `<split>.txt`; where it is missing images are split by hash.
            train: name of the list of the training split.
            val: name of the list of the validation split.
            val_fraction: fraction of validation images where there are no lists, in (0, 1).
            name: short name of the data set; that of the folder if None.
            separator: between labels in a cell: `comma`, `semicolon`, `pipe`, `space`, `line`, or a
                sign; `list` for lists of JSON or Python, `none` where a cell is one class; found
                out from the table if None.
            columns: names of the column of images and of those of labels, or one a class; found
                out if None.

        Raises:
            WsssError: there is no images folder, or no readable table of labels.
        """
        check_inside_unit(val_fraction=val_fraction)
        self.root = Path(root).expanduser().absolute()
        self.name = name or self.root.name
        folder = _images_folder(self.root, images)
        index = ImageIndex(folder, walk_names(folder, IMAGE_SUFFIXES, hidden=True), self.root)
        tags = find_tags(self.root, labels, index)
        classes = self.root / "classes.txt"
        table = read_labels(tags, classes, index, separator, columns or ())
        self.class_names = table.class_names
        self.described = table.described

        lists = {TRAIN: train.removesuffix(".txt"), VAL: val.removesuffix(".txt")}
        if (self.root / splits).is_dir():
            ids, split_problems = read_splits(self.root / splits, lists, table, index)
        else:
            ids, split_problems = split_by_hash(table.labels, val_fraction), []
        mask_files = {
            file_id(file): file for file in walk_names(self.root / masks, [".png"], hidden=True)
        }
        # The folders may have absolute paths of their own.
        image_prefix, mask_prefix = (f"{self.root / one}/" for one in (images, masks))
        self._items = {
            split: ItemTable.of_files(
                (
                    (
                        item_id,
                        table.labels[item_id],
                        image_prefix + index.file(item_id),
                        mask_prefix + mask_files[item_id] if item_id in mask_files else "",
                        (),
                    )
                    for item_id in ids[split]
                ),
                self.root,
            )
            for split in lists
        }
        self._problems = [
            *index.inspect(),
            *table.problems,
            *split_problems,
            *_colliding_stems(folder, table.labels),
            *_unused_masks(self.root / masks, table.labels, mask_files),
            *_missing_folder("masks", self.root / masks, masks == MASKS),
            *_missing_folder("splits", self.root / splits, splits == SPLIT_LISTS),
        ]

    def inspect(self) -> Sequence[Problem]:
        """Problems of the lists and folders, grouped."""
        return group_alike([*self._problems, *super().inspect()])


def _images_folder(root: Path, images: str) -> Path:
    """The images folder, which must exist."""
    if not root.is_dir():
        siblings = [entry.name for entry in root.parent.glob("*/")]
        raise InvalidOptionError(
            "root",
            root,
            f"a folder with {images}/ and labels.csv",
            f"no such folder{did_you_mean(root.name, siblings)}",
            "Name the folder of your data.",
        )
    folder = root / images
    if not folder.is_dir():
        entries = sorted(root.iterdir())
        folders = [entry.name for entry in entries if entry.is_dir()]
        loose = [entry.name for entry in entries if entry.suffix.lower() in IMAGE_SUFFIXES]
        came = f"no such folder in {root}"
        if folders:
            came += f"; there are {name_some(folders)}{did_you_mean(images, folders)}"
        if loose:
            came += f"; {plural(len(loose), 'image lies', 'images lie')} in {root} itself"
        raise InvalidOptionError(
            "images",
            images,
            "a folder that holds the images",
            came,
            "Move the images there, or name the folder that they are in.",
        )
    return folder


def _colliding_stems(folder: Path, ids: Collection[str]) -> Iterator[Problem]:
    """Ids whose results would overwrite each other."""
    owner: dict[str, str] = {}
    for item_id in ids:
        stem = safe_file_stem(item_id)
        if owner.setdefault(stem, item_id) != item_id:
            yield Problem(
                str(folder),
                f"results of '{owner[stem]}' and '{item_id}' would both be named '{stem}'",
                "ids that make different file names",
                "Rename one of these images.",
            )


def _unused_masks(
    folder: Path, ids: Collection[str], mask_files: dict[str, str]
) -> Iterator[Problem]:
    """A problem if there are masks, but none of a labelled image."""
    present = list(mask_files.values()) or walk_names(folder, IMAGE_SUFFIXES)
    if present and ids and not mask_files.keys() & set(ids):
        yield Problem(
            str(folder),
            f"no image for any of {plural(len(present), 'file')}, like "
            f"'{readable(Path(present[0]).name)}'",
            f"masks named after their images, like '{next(iter(ids))}.png'",
            "Rename the masks, or remove the folder to run without evaluation.",
            Severity.WARNING,
        )


def _missing_folder(key: str, folder: Path, is_default: bool) -> Iterator[Problem]:
    """A problem if a folder that the user named is missing."""
    if not is_default and not folder.is_dir():
        yield Problem(
            str(folder),
            "no such folder",
            f"the folder that `{key}` names",
            f"Correct `{key}`, or leave it out.",
        )
