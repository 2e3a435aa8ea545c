"""Class indices from indices or names, one or several."""

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any, TypeAlias

from wsss.errors import unknown_word, user_error
from wsss.explain.class_choice import indices_by_name

ClassLike: TypeAlias = int | str | Iterable[Any]
"""An index 0…C-1 or a name; or several of them in a list, a tuple, an array or a tensor."""

IMAGENET_CLASSES = 1000


def class_indices(
    classes: ClassLike, num_classes: int, names: Sequence[str] | None
) -> tuple[int, ...]:
    """Class indices 0…C-1 of indices or names, in their order.

    Args:
        classes: indices or names.
        num_classes: C.
        names: of all classes, with synonyms between commas; None where they are not known.

    Raises:
        WsssError: there is no such class, or none is named.
    """
    if hasattr(classes, "tolist"):  # an array or a tensor
        classes = classes.tolist()
    several = [classes] if isinstance(classes, str | Integral) else classes
    if not isinstance(several, Iterable) or not (listed := list(several)):
        raise user_error(
            "class_", f"{classes!r}", "an index, a name, or a list of them",
            "Name a class, or leave it out for the one that the network predicts.",
        )  # fmt: skip
    return tuple(_index(one, num_classes, names) for one in listed)


def known_names(names: Sequence[str] | None, num_classes: int) -> tuple[str, ...] | None:
    """Names of all classes: those given, or ImageNet's where there are as many; None if unknown.

    Raises:
        WsssError: not every class has one.
    """
    if names is None:
        if num_classes != IMAGENET_CLASSES:
            return None
        from wsss.models.imagenet import imagenet_names  # loads timm

        return imagenet_names(num_classes)
    if isinstance(names, str) or len(names) != num_classes:
        raise user_error(
            "names", f"{names!r}" if isinstance(names, str) else f"{len(names)} names",
            f"a list of {num_classes}, for the network has {num_classes} logits",
            "Give the name of every class, in the order of the logits.",
        )  # fmt: skip
    return tuple(names)


def _index(one: Any, num_classes: int, names: Sequence[str] | None) -> int:
    if isinstance(one, str):
        if (names := known_names(names, num_classes)) is None:
            raise user_error(
                "class_", f"`{one}`, and the names of the {num_classes} classes are not known",
                f"an index 0…{num_classes - 1}, or names", "Give `names=[…]`, or the index.",
            )  # fmt: skip
        by_name = indices_by_name(names)
        if one.strip().lower() not in by_name:
            remedy = "Correct the name, or give the index."
            raise unknown_word("class_", "class", one.strip().lower(), list(by_name), remedy)
        return by_name[one.strip().lower()]
    if isinstance(one, bool) or not isinstance(one, Integral) or not 0 <= int(one) < num_classes:
        raise user_error(
            "class_", f"{one!r}", f"a whole number 0…{num_classes - 1}, or a name",
            "Correct the index; the first class is 0.",
        )  # fmt: skip
    return int(one)
