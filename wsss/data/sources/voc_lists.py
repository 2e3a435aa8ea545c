"""The lists of PASCAL VOC, and the one of Hariharan et al. that published results train on.

`train_aug` are 10,582 images: those of SBD, "Semantic Contours from Inverse Detectors", ICCV 2011,
and of VOC 2012's `train`, without those of its `val`.
"""

from pathlib import Path, PurePosixPath

from wsss.data.sources.lists import read_lines
from wsss.errors import Problem, Severity

TRAIN_AUG = "train_aug"
_TRAIN_AUG_FILES = ("train_aug.txt", "trainaug.txt")
AUG_MASKS = "SegmentationClassAug"
"""Folder of the masks of `train_aug` and `val`."""


def find_list(devkit: Path, name: str) -> Path | None:
    """The file of a list."""
    files = _TRAIN_AUG_FILES if name == TRAIN_AUG else (f"{name}.txt",)
    paths = (devkit / "ImageSets" / "Segmentation" / file for file in files)
    return next((path for path in paths if path.is_file()), None)


def ids_of_list(path: Path) -> list[str]:
    """Ids of a list, in its order, of lines `<id>` or `/JPEGImages/<id>.jpg /….png`."""
    names = (PurePosixPath(line.split()[0]).name for _, line in read_lines(path))
    return list(dict.fromkeys(name.removesuffix(".jpg") for name in names))


def derived_train_aug(devkit: Path) -> list[str]:
    """The ids of `train_aug` by the names of its masks, none of which is opened; none if none.

    That folder has a mask for each image of `train_aug`, 10,582, and of `val`, 1,449.
    """
    val = find_list(devkit, "val")
    if val is None:
        return []
    return sorted({path.stem for path in (devkit / AUG_MASKS).glob("*.png")} - {*ids_of_list(val)})


def derived_from(count: int) -> str:
    """How `train_aug` was found where there is no list, in a line."""
    return f"`{TRAIN_AUG}`: the {count:,} images of {AUG_MASKS}/ that are not in `val`"


def no_train_aug(folder: Path) -> Problem:
    """The problem of `train_aug` that is neither listed nor derived, in the folder of the lists."""
    return Problem(
        str(folder / _TRAIN_AUG_FILES[0]),
        "no such list: training takes the 1,464 images of `train` instead of the 10,582 of "
        "`train_aug`",
        "the list `train_aug` that published results train on",
        f"Put {AUG_MASKS}/ beside SegmentationClass/: its file names are the list. Or put the list "
        "there, one id a line: the code of IRN and of DeepLab has it, and it is the images of SBD "
        "(benchmark.tgz of Hariharan et al.) and of `train` without those of `val`. Or name "
        "`train` as the list of training images to mean it.",
        Severity.WARNING,
    )
