"""Class indices from indices, names, `predicted` and `topN`, one or several."""

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any, TypeAlias

from jaxtyping import Float
from torch import Tensor

from wsss.errors import unknown_word, user_error
from wsss.explain.class_choice import ClassChoice, indices_by_name, offered_names, ranked_choice

ClassLike: TypeAlias = int | str | Iterable[Any]
"""An index 0…C-1, a name, `predicted` or `topN`; or several in a list, an array or a tensor."""

IMAGENET_CLASSES = 1000


def class_indices(
    classes: ClassLike, num_classes: int, names: Sequence[str] | None
) -> tuple[int | ClassChoice, ...]:
    """Class indices 0…C-1 of indices or names, and choices among the probable ones, in their order.

    Args:
        classes: indices, names, `predicted` and `topN`.
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


def chosen_indices(
    asked: Sequence[int | ClassChoice], probabilities: Float[Tensor, " c"], multi_label: bool
) -> tuple[int, ...]:
    """The indices that are asked for; each once where a choice is among them.

    Args:
        asked: of `class_indices`.
        probabilities: of each class on the image.
        multi_label: whether an image can have several labels.
    """
    plain = [one for one in asked if isinstance(one, int)]
    if len(plain) == len(asked):
        return tuple(plain)
    found: list[int] = []
    for one in asked:
        found += [one] if isinstance(one, int) else one.choose(probabilities, multi_label)
    return tuple(dict.fromkeys(found))


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


def _index(one: Any, num_classes: int, names: Sequence[str] | None) -> int | ClassChoice:
    if isinstance(one, str):
        return _of_word(one.strip().lower(), num_classes, names)
    if isinstance(one, bool) or not isinstance(one, Integral) or not 0 <= int(one) < num_classes:
        raise user_error(
            "class_", f"{one!r}", f"a whole number 0…{num_classes - 1}, or a name",
            "Correct the index; the first class is 0.",
        )  # fmt: skip
    return int(one)


def _of_word(word: str, num_classes: int, names: Sequence[str] | None) -> int | ClassChoice:
    known = known_names(names, num_classes)
    by_name = {} if known is None else indices_by_name(known)
    if word in by_name:
        return by_name[word]
    if (choice := ranked_choice(word, "class_")) is not None:
        return choice
    if word.isdecimal():
        raise user_error(
            "class_", f"'{word}', which is text and no name of a class",
            "an index as a whole number, or a name", f"Write it without quotes: `class_={word}`.",
        )  # fmt: skip
    if known is None:
        raise user_error(
            "class_", f"`{word}`, and the names of the {num_classes} classes are not known",
            f"an index 0…{num_classes - 1}, or names", "Give `names=[…]`, or the index.",
        )  # fmt: skip
    remedy = "Correct the name, or give the index, `predicted` or `top3`."
    raise unknown_word("class_", "class", word, offered_names(by_name), remedy)
