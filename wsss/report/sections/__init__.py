"""The sections of a report: one function each, from results to a section or None."""

from collections.abc import Callable

from wsss.report.results import Results
from wsss.report.section import Section
from wsss.report.sections.classes import classes
from wsss.report.sections.confusion import confusion, together
from wsss.report.sections.coverage import coverage, sizes
from wsss.report.sections.doubtful import doubtful
from wsss.report.sections.funnel import funnel
from wsss.report.sections.gallery import gallery
from wsss.report.sections.next_steps import audit, next_steps
from wsss.report.sections.provenance import failures, settings, stages
from wsss.report.sections.threshold import threshold
from wsss.report.sections.training import training

SECTIONS: tuple[Callable[[Results], Section | None], ...] = (
    funnel,
    threshold,
    classes,
    confusion,
    together,
    coverage,
    sizes,
    doubtful,
    next_steps,
    audit,
    gallery,
    stages,
    training,
    failures,
    settings,
)
"""In the order of the page; each returns None if its stages did not run."""


def all_sections(results: Results) -> list[Section]:
    """Every section that has something to show."""
    return [section for make in SECTIONS if (section := make(results)) is not None]
