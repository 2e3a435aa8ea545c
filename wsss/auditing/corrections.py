"""What becomes of the tags where a person agrees with a finding."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from wsss.auditing.finding import Finding
from wsss.report.formatting import words


@dataclass(frozen=True, slots=True)
class Correction:
    """A change of tags."""

    text: str
    """What happens, as the end of `If you agree, …`."""
    tags: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
    """By image: names of the classes that are added, and of those that are removed."""


def corrections(finding: Finding, tags: Mapping[str, Collection[str]]) -> list[Correction]:
    """The changes that follow from a finding, of which a person takes one; none for most kinds.

    Args:
        finding: what was found.
        tags: names of the tags of its images, those that are in the data set.
    """
    image, label, other = finding.image, finding.label, finding.other
    if not {image, other if finding.kind == "near_duplicate" else image} <= tags.keys():
        return []
    if finding.kind == "wrong_tag" and image and label:
        return [Correction(f"the tag {label} is removed", {image: ((), (label,))})]
    if finding.kind == "missing_tag" and image and label:
        return [Correction(f"the tag {label} is added", {image: ((label,), ())})]
    if finding.kind == "near_duplicate" and image and other:
        return _of_duplicates(image, other, tags[image], tags[other])
    return []


def _of_duplicates(
    image: str, other: str, own: Collection[str], others: Collection[str]
) -> list[Correction]:
    """Equal tags for two images; none where they are equal."""
    if set(own) == set(others):
        return []
    all_ = [*own, *(tag for tag in others if tag not in own)]
    choices = (
        ("all tags of the two", all_),
        (f"those of {image}", own),
        (f"those of {other}", others),
    )
    return [
        Correction(
            f"both get {named}: {words([*to]) or 'none'}",
            {image: _change(own, to), other: _change(others, to)},
        )
        for named, to in choices
    ]


def _change(
    before: Collection[str], after: Collection[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is added, and what is removed."""
    return (
        tuple(tag for tag in after if tag not in before),
        tuple(tag for tag in before if tag not in after),
    )
