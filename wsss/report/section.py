"""The unit of a report."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a report: a heading, and a template with the data it draws."""

    name: str
    """Its anchor in the page, and its template: `sections/<name>.html.j2`."""
    title: str
    lead: str = ""
    """Introduction, in a sentence or two."""
    data: dict[str, Any] = field(default_factory=dict)
    """Data of the template, as `data`."""
    oracle: bool = False
    """Whether all of it was computed with ground truth."""
