"""The findings of an audit as one self-contained HTML page, to be worked through by a person."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2.utils import htmlsafe_json_dumps

from wsss.artifacts import atomic, fingerprint_of_rows
from wsss.auditing.finding import TABLE, Audit, read_audit
from wsss.auditing.finding_pictures import Pictures
from wsss.auditing.label_cells import needs_lists
from wsss.auditing.page_sections import Card, CheckSection, card, check_sections, in_turns
from wsss.auditing.proposal import PROPOSAL
from wsss.data.source import SPLITS, Source
from wsss.report import formatting as text
from wsss.report.header import Header
from wsss.report.page import templates
from wsss.stage_tools.progress import track
from wsss.wording import plural

PAGE = "index.html"
PART = "labels.findings.csv"
"""What the page saves of a large data set: rows of the images that it shows alone."""
CARDS_BYTES = 10_500_000
"""Room for the cards; with the table of tags the page stays below 15 MB."""
TABLE_BYTES = 3_500_000
"""Room for the tags of all images; of a larger data set the page has those of its findings only."""


def write_page(output: Path, source: Source, *, visible: bool = True) -> Path:
    """Write `index.html` from the `audit.json` and the maps of a folder, and give its path.

    Args:
        output: folder of the audit.
        source: the data set that was audited.
        visible: whether to show a progress bar.

    Raises:
        FileNotFoundError: there is no `audit.json`.
        DamagedFileError: it is no JSON.
    """
    audit = read_audit(output)
    cards = _cards(audit, Pictures(source, output), visible)
    sections = check_sections(audit, cards)
    content = (
        templates("wsss.auditing")
        .get_template("audit_page.html.j2")
        .render(
            header=_header(audit, source),
            parts=[(None, sections)],  # for the list of sections at the top
            sections=sections,
            page=_page_data(source, sections),
            left_out=audit.left_out,
            table=TABLE,
        )
    )
    path = output / PAGE
    with atomic(path) as temporary:
        temporary.write_text(content, encoding="utf-8", newline="\n")
    return path


def _cards(audit: Audit, pictures: Pictures, visible: bool) -> dict[str, list[Card]]:
    """The cards by kind, as many as there is room for: the best of each kind first."""
    cards: dict[str, list[Card]] = {kind: [] for kind in audit.checks}
    room = CARDS_BYTES
    flagged = sum(check.flagged for check in audit.checks.values())
    for rank, finding in track(in_turns(audit), flagged, "page", visible=visible, unit="finding"):
        drawn = card(rank, finding, pictures)
        room -= drawn.num_bytes
        if room < 0:
            break
        cards[finding.kind].append(drawn)
    return cards


def _page_data(source: Source, sections: Sequence[CheckSection]) -> dict[str, Any]:
    """What the page's script needs: the tags of all images, from which it writes corrected ones."""
    items = [item for split in SPLITS for item in source.items(split)]
    rows = [[item.id, [label - 1 for label in item.labels]] for item in items]
    whole = len(htmlsafe_json_dumps(rows)) <= TABLE_BYTES
    if not whole:
        shown = {one for section in sections for card in section.cards for one in card.images}
        rows = [row for row in rows if row[0] in shown]
    return {
        # Not of the tags: decisions are found again after some were corrected.
        "key": fingerprint_of_rows(source.name, (item.id for item in items), source.class_names),
        "classes": source.class_names,
        "items": rows,
        "lists": {
            "several": needs_lists(source.class_names, several=True),
            "single": needs_lists(source.class_names, several=False),
        },
        "table": PROPOSAL if whole else PART,
        "whole": whole,
    }


def _header(audit: Audit, source: Source) -> Header:
    images = plural(sum(audit.splits.values()), "image")
    flagged = sum(check.flagged for check in audit.checks.values())
    found = f"{plural(flagged, 'finding')} to look at" if flagged else "nothing is suspicious"
    splits = text.words([f"{count:,} {name}" for name, count in audit.splits.items()])
    return Header(
        title=source.name,
        data_set=source.name,
        date=text.date(str(audit.run.get("finished_at", ""))),
        commit=str(audit.run.get("commit") or ""),
        sentence=f"{images} ({splits}) of "
        f"{plural(len(audit.class_names), 'class', 'classes')}, looked through without a mask: "
        f"{found}. This page changes nothing: you agree or disagree, and save the corrected tags.",
        tiles=(),
        saw_masks=bool(audit.run.get("saw_masks")),
    )
