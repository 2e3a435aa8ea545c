"""What `wsss explain` can do besides drawing maps, and which settings go together."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wsss.errors import unknown_word, user_error
from wsss.explain.method_catalogue import known_name

if TYPE_CHECKING:
    from wsss.explain.request import Request

COMPARE = "compare"
MODES = (COMPARE, "segmenter", "sanity", "scores")
"""Settings of which one at most is asked for."""
TWO = 2


def compared_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The two sides that `--compare A B`, `--compare A,B` or `compare=[A,B]` names.

    Returns:
        the sides, none where nothing is compared; and all other words.

    Raises:
        WsssError: there are not two.
    """
    sides: list[str] = []
    others = [*words]
    for index, word in enumerate(words):
        option, sign, value = word.lstrip("-").partition("=")
        if option != COMPARE or not (sign or word.startswith("--")):
            continue
        taken = 1
        if sign:
            sides = value.strip("[]").split(",")
        elif index + 1 < len(words) and "," in words[index + 1]:
            sides, taken = words[index + 1].strip("[]").split(","), 2
        else:
            sides, taken = [*words[index + 1 : index + 1 + TWO]], 1 + TWO
        others = [*words[:index], *words[index + taken :]]
        break
    else:
        return [], others
    sides = [side.strip() for side in sides if side.strip()]
    if len(sides) != TWO or any(side.startswith("--") for side in sides):
        raise user_error(
            "--compare", f"{len(sides)} of two sides", "`--compare A B`",
            "Name two checkpoints, two runs, or two methods of one checkpoint.",
        )  # fmt: skip
    return sides, others


def compared_methods(sides: Sequence[str], known: Sequence[str]) -> list[str]:
    """The sides' methods, where both are words of methods and no folders; else none."""
    methods = [known_name(side, known) for side in sides]
    are_folders = any(Path(side).is_dir() for side in sides)
    return methods if {*methods} <= {*known} and not are_folders else []


def check_modes(request: "Request", known: Sequence[str]) -> bool:
    """Refuse settings that contradict each other; whether a classifier is still to be named.

    Args:
        request: the settings.
        known: names of all methods.

    Raises:
        WsssError: says which settings do not go together.
    """
    asked = [name for name in MODES if getattr(request, name)]
    if len(asked) > 1:
        both = " and ".join(f"`{name}`" for name in asked)
        raise user_error("wsss explain", both, "one of them", "Ask for one after the other.")
    if request.segmenter is not None:
        _check_segmenter(request)
        return False
    if request.region:
        raise user_error(
            "region", "a region without a segmenter", "`segmenter=runs/segment/…` beside it",
            "Name the segmenter, or leave the region out.",
        )  # fmt: skip
    if request.sanity and (tuple(request.scales) != (1.0,) or request.flip):
        raise user_error(
            "--sanity", "scales or mirror images", "an image as it is: one scale, no mirror image",
            "Leave `scales` and `flip` out.",
        )  # fmt: skip
    return not request.compare or _compares_methods(request, known)


def _compares_methods(request: "Request", known: Sequence[str]) -> bool:
    """Whether two methods are compared, and not two classifiers.

    Raises:
        WsssError: a side is neither, there is one of each, or the methods are the same.
    """
    where = f"compare={','.join(request.compare)}"
    methods = compared_methods(request.compare, known)
    if methods:
        if len({*methods}) < TWO:
            raise user_error(where, "a method and itself", "two methods", "Name another one.")
        return True
    words = [known_name(side, known) for side in request.compare if not Path(side).is_dir()]
    if unknown := [word for word in words if word not in known]:
        remedy = "Correct the word: a side is the folder of a checkpoint or run, or a method."
        raise unknown_word(where, "folder or method", unknown[0], known, remedy)
    if words:
        raise user_error(
            where, "a method and a folder", "two folders, or two methods",
            "Compare two methods of one `checkpoint=…`, or two checkpoints by `cam=…`.",
        )  # fmt: skip
    if request.checkpoint is not None or request.model is not None:
        raise user_error(
            where, "two folders beside a checkpoint or model", "the folders alone",
            "Leave `checkpoint` and `model` out.",
        )  # fmt: skip
    return False


def _check_segmenter(request: "Request") -> None:
    """Refuse what a segmenter has no use for.

    Raises:
        WsssError: names it.
    """
    given: Collection[str] = [
        name
        for name, is_given in {
            "checkpoint": request.checkpoint is not None,
            "model": request.model is not None,
            "weights": request.weights is not None,
            "cam": tuple(request.cam) != ("cam",),
            "scales": tuple(request.scales) != (1.0,),
            "flip": request.flip,
        }.items()
        if is_given
    ]
    if given:
        raise user_error(
            "segmenter", f"`{'`, `'.join(given)}` beside it, which explain a classifier",
            "a segmenter with `classes`, `region`, `layer` and `size`", "Leave them out.",
        )  # fmt: skip
    if len(request.region) not in (0, 2, 4):
        raise user_error(
            f"region={','.join(map(str, request.region))}", f"{len(request.region)} numbers",
            "a box `left,top,right,bottom` or a point `x,y`, in pixels of the image",
            "Correct it, or leave it out for the pixels that are predicted as the class.",
        )  # fmt: skip
