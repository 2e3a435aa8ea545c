"""Advice: a sentence that follows from numbers of a run by a rule."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Advice:
    """What a rule found, and what may help."""

    found: str
    """One sentence with the number."""
    todo: str
    """One sentence; settings in backticks."""
    oracle: bool = False
    """Whether the number was computed with ground truth."""
