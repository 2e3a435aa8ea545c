"""The closing table of `wsss audit`."""

from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wsss.artifacts.manifest import MARK
from wsss.auditing.finding import Audit, Finding
from wsss.cli.tables.whole_lines import WholeLines
from wsss.cli.tables.whole_words import WholeWords

NAMED = 3
"""Findings of a check that are named."""


def outcome(audit: Audit, folder: Path, cached: bool = False) -> Group:
    """A row for each check, the images that were left out, and the files.

    To be printed with `crop=False`.
    """
    mark = MARK * bool(audit.run.get("saw_masks"))
    table = Table("check", title=Text.assemble("Audited", (mark, "yellow")), title_justify="left")
    table.add_column("examined", justify="right")
    table.add_column("flagged", justify="right")
    table.add_column("first findings")
    for kind, check in audit.checks.items():
        first = [_named(one) for one in check.findings if one.flagged][:NAMED]
        table.add_row(
            kind, f"{check.examined:,}",
            Text(f"{check.flagged:,}", "yellow" if check.flagged else ""),
            Text(", ".join(first) or "–"),
        )  # fmt: skip
    parts: list[RenderableType] = [WholeWords(table)]
    parts += [
        WholeLines(Text(f"left out: {image}: {reason}", "yellow"))
        for image, reason in audit.left_out.items()
    ]
    if cached:
        parts.append(WholeLines(Text("Nothing was computed: this audit is finished.")))
    files = {
        "Page": "index.html",
        "Findings": "audit.csv",
        "Proposed tags, applied nowhere": "labels.corrected.csv",
    }
    parts += [
        WholeLines(Text(f"{what}: {folder / name}", overflow="fold"))
        for what, name in files.items()
    ]
    return Group(*parts)


def _named(finding: Finding) -> str:
    parts = [finding.image, finding.label, finding.other]
    if finding.kind == "near_duplicate":
        parts = [finding.image, finding.other]
    return " · ".join(one for one in parts if one)
