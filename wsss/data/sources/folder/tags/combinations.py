"""Classes whose names are those of other classes, joined: labels that were not separated."""

import re
from collections.abc import Iterable, Mapping

_JOINT = re.compile(r"(?:[\W_]|(?<![^\W_])and(?![^\W_]))+")
"""What may stand between two names: signs, white space, the word `and`."""
_ENDS = re.compile(r"^[\W_]+|[\W_]+$")


def by_bare_name(names: Iterable[str]) -> dict[str, str]:
    """Names by what is compared: without case, and without signs at both ends."""
    return {bare: name for name in names if (bare := _bare(name))}


def combination(name: str, classes: Mapping[str, str]) -> tuple[str, ...] | None:
    """The classes whose names, joined by any signs, are another's name; None if there are none.

    Args:
        name: of the class in question.
        classes: all classes, by bare name.
    """
    bare = _bare(name)
    joints = [match.span() for match in _JOINT.finditer(bare)]
    # Classes that the beginning of the name consists of, by where the rest begins.
    cuts: dict[int, tuple[str, ...]] = {0: ()}
    for begin, end in [*joints, (len(bare), len(bare))]:
        for start, parts in list(cuts.items()):
            part = bare[start:begin]
            if part in classes and part != bare and end not in cuts:
                cuts[end] = (*parts, classes[part])
    return cuts.get(len(bare)) or None


def _bare(name: str) -> str:
    return _ENDS.sub("", name.casefold())
