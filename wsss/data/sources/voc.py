"""PASCAL VOC: its segmentation images with the tags of their annotations.

Everingham et al., "The PASCAL Visual Object Classes Challenge: A Retrospective", IJCV 2015;
`train_aug` adds those of Hariharan et al., "Semantic Contours from Inverse Detectors", ICCV 2011.
"""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from filelock import FileLock

from wsss.data.alike_problems import group_alike
from wsss.data.item_table import ItemTable
from wsss.data.sample import Item
from wsss.data.source import TRAIN, VAL
from wsss.data.sources.class_texts import VOC_TEXTS
from wsss.data.sources.file_source import FileSource
from wsss.data.sources.voc_lists import (
    AUG_MASKS,
    TRAIN_AUG,
    derived_from,
    derived_train_aug,
    find_list,
    ids_of_list,
    no_train_aug,
)
from wsss.errors import InvalidOptionError, Problem, Severity
from wsss.wording import did_you_mean, name_some

CLASS_NAMES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)  # fmt: skip

_HOME = "host.robots.ox.ac.uk/pascal/VOC"
_ARCHIVES = {
    "2007": "VOCtrainval_06-Nov-2007.tar and VOCtest_06-Nov-2007.tar",
    "2012": "VOCtrainval_11-May-2012.tar",
}
"""What holds a year's devkit at VOC's own address."""

_MASK_FOLDERS = (AUG_MASKS, "SegmentationClass")
"""Folders of masks, in order of precedence."""


class Voc(FileSource):
    """The images of PASCAL VOC's segmentation task.

    An image's tags are the classes of all objects in `Annotations/<id>.xml`, difficult ones
    included, as in the benchmark of weak supervision (IRN's `make_cls_labels`).
    """

    class_names = CLASS_NAMES
    class_texts = VOC_TEXTS

    def __init__(
        self,
        root: str | Path,
        year: str = "2012",
        train: str = TRAIN_AUG,
        val: str = "val",
        download: bool = False,
    ) -> None:
        """Read the lists and annotations; no image is opened.

        Args:
            root: the folder that holds VOCdevkit/, VOCdevkit itself, or VOC<year> in it.
            year: of the challenge, "2007" to "2012".
            train: list in ImageSets/Segmentation to train on. Where that of `train_aug` is missing
                it is what has a mask in SegmentationClassAug/ and is not in the list `val`, by the
                names of the files; where that folder is missing, too, it falls back to `train`,
                which `inspect` reports.
            val: list in ImageSets/Segmentation to validate with.
            download: fetch what is missing with torchvision, into `root`.

        Raises:
            WsssError: the devkit or a list is missing, or could not be downloaded.
        """
        year = str(year)
        self.name = f"voc{year[-2:]}"
        base = Path(root).expanduser().absolute()
        if download:
            base.mkdir(parents=True, exist_ok=True)
            with FileLock(base / ".download.lock"):  # Several processes may start together.
                if not _has_lists(_find_devkit(base, year), (train, val)):
                    _download(base, year, (train, val))
        devkit = _find_devkit(base, year)
        if devkit is None:
            raise _no_devkit(base, year)
        self.root = devkit
        self._problems: list[Problem] = []
        lists = {TRAIN: train, VAL: val}
        ids = {split: self._read_list(split, name, year) for split, name in lists.items()}
        images = {path.stem: path for path in (devkit / "JPEGImages").glob("*.jpg")}
        masks = _find_masks(devkit)
        items: dict[str, Item] = {}
        for item_id in dict.fromkeys([*ids[TRAIN], *ids[VAL]]):
            if item_id in images:
                labels = self._read_labels(item_id)
                items[item_id] = Item(item_id, labels, images[item_id], masks.get(item_id))
            else:
                self._problems.append(_no_image(devkit / "JPEGImages" / f"{item_id}.jpg"))
        self._items = {
            split: ItemTable.of((items[one] for one in ids[split] if one in items), devkit)
            for split in ids
        }

    def inspect(self) -> Sequence[Problem]:
        """Problems of lists and annotations, grouped."""
        return group_alike([*self._problems, *super().inspect()])

    def _read_list(self, split: str, name: str, year: str) -> list[str]:
        """Ids of a list, in its order; the problem of one that is missing is recorded."""
        folder = self.root / "ImageSets" / "Segmentation"
        path = find_list(self.root, name)
        if path is None and name == TRAIN_AUG and year == "2012":
            if derived := derived_train_aug(self.root):
                self.described = derived_from(len(derived))
                return derived
            path = find_list(self.root, "train")
            self._problems.append(no_train_aug(folder))
        if path is None:
            present = [file.stem for file in sorted(folder.glob("*.txt"))]
            there = f"; there are {name_some(present)}{did_you_mean(name, present)}"
            raise InvalidOptionError(
                split,
                name,
                "a list of image ids",
                f"no such list in {folder}{there if present else ''}",
                "Name another list.",
            )
        return ids_of_list(path)

    def _read_labels(self, item_id: str) -> tuple[int, ...]:
        """Mask values of the classes in an image's annotation; its problems are recorded."""
        path = self.root / "Annotations" / f"{item_id}.xml"
        try:
            names = {node.text for node in ElementTree.parse(path).iterfind("object/name")}
        except (OSError, ElementTree.ParseError) as error:
            missing = isinstance(error, FileNotFoundError)
            self._problems.append(
                Problem(
                    str(path),
                    "no such annotation" if missing else f"unreadable annotation ({error})",
                    "an XML file with the objects of every image: the tags come from it",
                    "Extract Annotations/ of the archive again; 2012 has those of train_aug, too.",
                )
            )
            return ()
        if unknown := sorted(str(name) for name in names - set(CLASS_NAMES)):
            self._problems.append(
                Problem(
                    str(path),
                    f"objects of other classes: {name_some(unknown)}",
                    "the 20 classes of VOC",
                    "Nothing to do: other objects are ignored.",
                    Severity.WARNING,
                )
            )
        return tuple(label for label, name in enumerate(CLASS_NAMES, 1) if name in names)


def _find_devkit(root: Path, year: str) -> Path | None:
    """The folder VOC<year> in or at `root`."""
    return next((path for path in _candidates(root, year) if _is_devkit(path)), None)


def _candidates(root: Path, year: str) -> tuple[Path, Path, Path]:
    return root / "VOCdevkit" / f"VOC{year}", root / f"VOC{year}", root


def _is_devkit(folder: Path) -> bool:
    return (folder / "JPEGImages").is_dir() and (folder / "ImageSets").is_dir()


def _find_masks(devkit: Path) -> dict[str, Path]:
    """The mask file of each id that has one."""
    masks: dict[str, Path] = {}
    for folder in _MASK_FOLDERS:
        for path in (devkit / folder).glob("*.png"):
            masks.setdefault(path.stem, path)
    return masks


def _has_lists(devkit: Path | None, names: Sequence[str]) -> bool:
    """Whether a devkit holds the lists, `train` in place of `train_aug`."""
    official = ("train" if name == TRAIN_AUG else name for name in names)
    return devkit is not None and all(find_list(devkit, name) for name in official)


def _download(root: Path, year: str, lists: Sequence[str]) -> None:
    """Fetch the archives that hold the lists, with torchvision."""
    from torchvision.datasets import VOCSegmentation

    # One archive holds train, trainval and val; the test images of 2007 have one of their own.
    archives = dict.fromkeys("test" if name == "test" else "trainval" for name in lists)
    try:
        for archive in archives:
            VOCSegmentation(root, year=year, image_set=archive, download=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise InvalidOptionError(
            "root",
            root,
            "a connection to the servers of VOC, and 5 GB of space",
            f"the download of VOC {year} failed ({error})",
            "Try again later, or download the archive elsewhere, extract it and name the folder "
            "that holds VOCdevkit/.",
        ) from error


def _no_devkit(root: Path, year: str) -> InvalidOptionError:
    looked_for = ", ".join(str(path) for path in _candidates(root, year))
    archives = f": {_ARCHIVES[year]} of {_HOME}, extracted" if year in _ARCHIVES else ""
    return InvalidOptionError(
        "root",
        root,
        f"a folder with JPEGImages/, Annotations/ and ImageSets/{archives}",
        f"no VOC {year} here; looked for {looked_for}",
        "Name the folder that holds VOCdevkit/, or pass download=True to fetch it.",
        {"VOCdevkit"},
    )


def _no_image(path: Path) -> Problem:
    return Problem(
        str(path),
        "no such image",
        "an image for every id of the lists",
        "Extract JPEGImages/ of the archive again, or take these ids out of the lists.",
    )
