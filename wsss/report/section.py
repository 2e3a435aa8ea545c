"""The units of a report: parts, each a question, and their sections."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Part:
    """A question that sections answer together."""

    name: str
    """Its anchor in the page."""
    title: str


DID_IT_WORK = Part("did-it-work", "Did it work?")
WHERE_IT_FAILS = Part("where-it-fails", "Where does it fail?")
WHAT_NEXT = Part("what-next", "What to do next?")
SHOW_ME = Part("show-me", "Show me")
WHAT_RAN = Part("what-ran", "What ran?")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, and a template with the data it draws."""

    name: str
    """Its anchor in the page, and its template: `sections/<name>.html.j2`."""
    title: str
    lead: str = ""
    """Introduction, in a sentence or two."""
    data: dict[str, Any] = field(default_factory=dict)
    """Data of the template, as `data`."""
    oracle: bool = False
    """Whether all of it was computed with ground truth."""
    part: Part | None = None
    """The question that it belongs to; None on a page without such."""
    scripts: tuple[str, ...] = ()
    """Files in `templates/scripts/` that it needs, in their order."""
