"""The dictionary `cls_labels.npy` of published repositories: an image's classes as 0 and 1.

Ahn & Kwak (PSA, CVPR 2018) and Ahn et al. (IRN, CVPR 2019) write it, and many repositories have it
from them.
"""

from collections.abc import Mapping

import numpy as np

from wsss.artifacts.plain_pickles import read_array_dictionary
from wsss.data.sources.folder.tags.tag_table import Request, TagRow, TagTable
from wsss.data.sources.voc import CLASS_NAMES as VOC_CLASSES
from wsss.errors import WsssError, user_error

_EXPECTED = "a dictionary of arrays of 0 and 1, one of every image, as IRN writes it"


def cls_labels_table(request: Request) -> TagTable:
    """The classes of each image, named by the list of classes, else as VOC's twenty.

    Raises:
        WsssError: the file is no such dictionary, or the classes have no names.
    """
    try:
        arrays = read_array_dictionary(request.path)
    except (OSError, WsssError) as error:
        told = error.problems[0].came if isinstance(error, WsssError) else str(error.strerror)
        raise user_error(
            request.path,
            told,
            _EXPECTED,
            "What else a pickle holds is never read, since it could run code. Have whoever made it "
            "write a table, such as CSV with the columns `image` and `labels`.",
        ) from None
    names = _names(request, arrays)
    rows: list[TagRow] = []
    for key, array in arrays.items():
        if array.shape != (len(names),) or not np.isin(array, (0, 1)).all():
            came = f"'{key}' has an array of shape {array.shape} with {array.tolist()!s:.80}"
            raise _odd(request, came, len(names))
        labels = tuple(names[index] for index in np.flatnonzero(array))
        rows.append(TagRow(f"key '{key}'", _entry(key, request), labels))
    given = "classes.txt" if request.known is not None else "VOC's twenty, as nothing says other"
    return TagTable(rows, f"dictionary of arrays; classes of {given}")


def _names(request: Request, arrays: Mapping[str | int, np.ndarray]) -> tuple[str, ...]:
    """Names of the classes in the arrays' order."""
    if request.known is not None:
        return request.known
    first = next(iter(arrays.values()), np.zeros(0))
    if first.shape != (len(VOC_CLASSES),):
        raise _odd(request, f"arrays of shape {first.shape}, whose classes have no names", 20)
    return VOC_CLASSES


def _odd(request: Request, came: str, num_classes: int) -> WsssError:
    return user_error(
        request.path,
        came,
        f"{num_classes} numbers of 0 and 1, one a class",
        "List the classes in classes.txt, in the order of the arrays: `background` in the first "
        "line, then one class a line.",
    )


def _entry(key: str | int, request: Request) -> str:
    """The image of a key; IRN writes VOC's ids as numbers, `2007_000032` as 2007000032."""
    entry = str(key)
    if isinstance(key, int) and request.index.find(entry) is None and len(entry) == 10:
        return f"{entry[:4]}_{entry[4:]}"
    return entry
