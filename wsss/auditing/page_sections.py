"""The sections of an audit's page, from findings to what templates draw."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wsss.auditing.corrections import Correction, corrections
from wsss.auditing.evidence_words import evidence_words, meanings
from wsss.auditing.finding import Audit, Finding
from wsss.auditing.finding_pictures import Pictures, Seen
from wsss.report.audit_kinds import CHECKS

MOST_OF_CLASS = 6
"""Images of a class that a finding about it shows."""
MOST_OF_PAIR = 3
"""Images of two classes that are always together, each with the maps of both."""
CARD_BYTES, SEEN_BYTES = 3500, 900
"""Room that a card, and each of its images, takes in the page beside the pictures, amply."""


@dataclass(frozen=True, slots=True)
class Card:
    """A finding as the page shows it."""

    key: str
    """Its anchor in the page."""
    rank: int
    """Its place among those of its kind, from 1."""
    finding: Finding
    seen: tuple[Seen, ...]
    """Its images."""
    evidence: tuple[tuple[str, str], ...]
    """Name and value of each number."""
    corrections: tuple[Correction, ...]
    """Changes of tags, of which one follows from agreeing."""

    @property
    def statement(self) -> tuple[str, tuple[str, ...], str]:
        """What is said: words before the classes, their names, words after them."""
        one = self.finding
        before, after = CHECKS[one.kind].statement
        named = () if one.kind == "near_duplicate" else (one.label, self._other_class)
        return before, tuple(name for name in named if name), after

    @property
    def doubted(self) -> frozenset[str]:
        """Tags that the finding is about: marked below its images."""
        if self.finding.kind == "near_duplicate":
            tags = [{*seen.tags} for seen in self.seen] or [set[str]()]
            return frozenset(tags[0].union(*tags) - tags[0].intersection(*tags))
        return frozenset(name for name in (self.finding.label, self._other_class) if name)

    @property
    def untagged(self) -> str | None:
        """The class that should be a tag and is none."""
        return self.finding.label if self.finding.kind == "missing_tag" else None

    @property
    def _other_class(self) -> str | None:
        """The second class of a finding about two."""
        return self.finding.other if self.finding.image is None else None

    @property
    def identity(self) -> list[str]:
        """What stays equal from one audit of a data set to the next."""
        one = self.finding
        return [one.kind, one.image or "", one.label or "", one.other or ""]

    @property
    def classes(self) -> list[str]:
        """The classes it is found by: its own, and for pairs of images their tags."""
        one = self.finding
        own = [one.label, self._other_class]
        tags = [tag for seen in self.seen for tag in seen.tags] if one.label is None else []
        return list(dict.fromkeys(name for name in (*own, *tags) if name))

    @property
    def changes(self) -> list[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]]:
        """Of each correction, by image: names of classes that are added, and removed."""
        return [one.tags for one in self.corrections]

    @property
    def images(self) -> list[str]:
        """The ids it is found by, without repeats."""
        return list(dict.fromkeys(seen.item_id for seen in self.seen))

    @property
    def num_bytes(self) -> int:
        """Room that it takes in the page, about."""
        pictures = sum(len(one.picture) + len(one.layer) for one in self.seen)
        return CARD_BYTES + SEEN_BYTES * len(self.seen) + pictures


@dataclass(frozen=True, slots=True)
class CheckSection:
    """What one check found."""

    name: str
    """The kind of its findings, and its anchor in the page."""
    rule: str
    """What is looked at, and from where on it is flagged."""
    examined: int
    flagged: int
    cards: tuple[Card, ...]

    @property
    def title(self) -> str:
        """Its heading."""
        return CHECKS[self.name].title

    @property
    def lead(self) -> str:
        """What it is about, and what a person does there."""
        return CHECKS[self.name].lead

    @property
    def unit(self) -> str:
        """What is counted as examined."""
        return CHECKS[self.name].examined

    @property
    def meanings(self) -> list[tuple[str, str]]:
        """What the numbers of its cards are called and mean."""
        return meanings(name for card in self.cards for name in card.finding.evidence)

    @property
    def left_out(self) -> int:
        """Flagged findings for which the page has no room."""
        return self.flagged - len(self.cards)


def check_sections(audit: Audit, cards: Mapping[str, Sequence[Card]]) -> list[CheckSection]:
    """The sections of all checks, with the cards that the page has room for."""
    return [
        CheckSection(kind, check.rule, check.examined, check.flagged, tuple(cards.get(kind, ())))
        for kind, check in audit.checks.items()
    ]


def in_turns(audit: Audit) -> Iterator[tuple[int, Finding]]:
    """The flagged findings with their ranks, from 1: the best of each kind first, then the next."""
    flagged = [
        [(rank, one) for rank, one in enumerate(check.findings, start=1) if one.flagged]
        for check in audit.checks.values()
    ]
    for place in range(max(map(len, flagged), default=0)):
        yield from (found[place] for found in flagged if place < len(found))


def card(rank: int, finding: Finding, pictures: Pictures) -> Card:
    """What the page shows of a finding.

    Args:
        rank: its place among those of its kind, from 1.
        finding: what was found.
        pictures: draws its images.
    """
    alone = finding.kind == "near_duplicate"  # Maps would hide whether pictures are the same.
    seen = tuple(
        pictures.seen(item_id, label, finding.evidence, mapped=not alone)
        for item_id, label in _shown(finding, pictures)
    )
    tags = {one.item_id: one.tags for one in seen if one.split}  # Others are not in the data.
    return Card(
        key=f"{finding.kind}-{rank}",
        rank=rank,
        finding=finding,
        seen=seen,
        evidence=tuple(evidence_words(finding.evidence)),
        corrections=tuple(corrections(finding, tags)),
    )


def _shown(finding: Finding, pictures: Pictures) -> list[tuple[str, str | None]]:
    """Ids of a finding's images, each with the class whose map is shown."""
    if finding.kind == "near_duplicate":
        pair = (finding.image, finding.other)
        return [(one, finding.label) for one in pair if one is not None]
    if finding.kind == "inseparable_classes":
        images = [*finding.images] or pictures.with_all(finding.label, finding.other)
        classes = (finding.label, finding.other)
        return [(one, of) for one in images[:MOST_OF_PAIR] for of in classes]
    images = [finding.image] if finding.image is not None else [*finding.images]
    return [(one, finding.label) for one in images[:MOST_OF_CLASS]]
