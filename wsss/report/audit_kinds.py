"""The checks of an audit, and what pages call them and their findings."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """What is said of a check."""

    title: str
    """Heading of its section in the audit's page."""
    lead: str
    """What it is about there, and what a person does."""
    examined: str
    """What is counted as examined."""
    statement: tuple[str, str]
    """What stands before and after the class of a finding; pairs of images name no class."""
    one: str
    """What the report calls a finding."""
    several: str


CHECKS: Mapping[str, AuditCheck] = {
    "wrong_tag": AuditCheck(
        title="Tags without evidence",
        lead="The network, which was not told the tags of the image that it looks at, sees nothing "
        "in it that looks like the class, or little, and another class that has no tag. Agree "
        "where the object is not there: its tag is removed.",
        examined="tags",
        statement=("No", "found"),
        one="tag without visual evidence",
        several="tags without visual evidence",
    ),
    "missing_tag": AuditCheck(
        title="Objects without a tag",
        lead="The network sees a class that is not among the tags, and sees it still when the "
        "tagged objects are painted over. Agree where the object is there: its tag is added.",
        examined="untagged classes",
        statement=("An untagged", ""),
        one="object without a tag",
        several="objects without a tag",
    ),
    "inseparable_classes": AuditCheck(
        title="Classes always together",
        lead="Two classes are together in almost every image, and their maps lie on each other: "
        "tags cannot tell which pixels belong to which. Other images can.",
        examined="pairs of classes",
        statement=("", "are always together"),
        one="pair of inseparable classes",
        several="pairs of inseparable classes",
    ),
    "background_evidence": AuditCheck(
        title="Known by background",
        lead="The network still knows these classes when their objects are painted over: it has "
        "learned the surroundings.",
        examined="classes",
        statement=("", "is known by its surroundings"),
        one="class recognised by its background",
        several="classes recognised by their background",
    ),
    "fixed_position": AuditCheck(
        title="Stamps and watermarks",
        lead="Images of one class have the same part at the same place, such as a logo or a "
        "watermark: a network can learn it in place of the object. The part is framed.",
        examined="tags",
        statement=("A part that gives away", ""),
        one="image with a stamp",
        several="images with a stamp",
    ),
    "near_duplicate": AuditCheck(
        title="Near-duplicates",
        lead="The same picture is there twice: with different tags, or once in train and once in "
        "val, where it is remembered and not recognised.",
        examined="images",
        statement=("The same picture twice", ""),
        one="pair of near-duplicates",
        several="pairs of near-duplicates",
    ),
}
"""By the kind of their findings, in the order in which they are shown."""
