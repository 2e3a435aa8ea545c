"""Rendering of a report as one self-contained HTML page."""

from collections.abc import Sequence
from itertools import groupby

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from wsss.report import formatting as text
from wsss.report.header import Header
from wsss.report.overlays import css_color
from wsss.report.panels import data_uri
from wsss.report.section import Section
from wsss.wording import plural

SCRIPTS = ("pictures.js", "tables.js", "printing.js")
"""Of every page."""


def render(header: Header, sections: Sequence[Section], *packages: str) -> str:
    """A page as HTML, deterministic; the templates escape all data.

    Args:
        header: its head.
        sections: in their order.
        packages: whose `templates/` are looked through before the report's.
    """
    parts = [(part, [*own]) for part, own in groupby(sections, lambda section: section.part)]
    scripts = dict.fromkeys((*SCRIPTS, *(one for section in sections for one in section.scripts)))
    page = templates(*packages).get_template("page.html.j2")
    return page.render(header=header, parts=parts, scripts=[*scripts])


def templates(*packages: str) -> Environment:
    """The templates of packages and of this one, with filters that format values."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(one) for one in (*packages, "wsss.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (
        text.percent,
        text.signed_percent,
        text.number,
        text.duration,
        text.memory,
        text.date,
    )
    own = (*filters, plural, css_color)
    environment.filters |= {function.__name__: function for function in own}
    environment.filters["data_uri"] = data_uri
    return environment
