"""What an audit finds, and the files it is written to."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from wsss.artifacts import atomic, read_json, write_json
from wsss.report.audit_findings import FILE, VERSION
from wsss.report.audit_kinds import CHECKS

KINDS = tuple(CHECKS)
"""The checks, in the order in which they are shown."""
FORMAT = 1
"""Of `audit.json`."""
AUDIT, TABLE = FILE, "audit.csv"
SETTINGS = ("folds", "seed")
COLUMNS = (
    "rank", "kind", "image", "split", "label", "other", "score", "flagged", "advice",
)  # fmt: skip
"""Of `audit.csv`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A doubtful image, tag or class."""

    kind: str
    """One of `KINDS`."""
    score: float
    """In [0, 1]; higher is more suspicious. Scores of different kinds do not compare."""
    flagged: bool
    """Whether it is suspicious enough to be looked at."""
    advice: str
    """One sentence: what to do."""
    image: str | None = None
    """Id of the image; None of a finding about a class."""
    split: str | None = None
    """Split of the image."""
    label: str | None = None
    """Name of the class."""
    other: str | None = None
    """Id of another image, or name of another class."""
    evidence: Mapping[str, float] = field(default_factory=dict)
    """The numbers that the score follows from."""
    images: Sequence[str] = ()
    """Of a finding about a class: ids of the images that show it best."""

    def __post_init__(self) -> None:
        """Refuse what no page could show.

        Raises:
            ValueError: the kind is unknown, or the score outside [0, 1].
        """
        if self.kind not in KINDS:
            raise ValueError(f"kind={self.kind!r}: expected one of {', '.join(KINDS)}")
        if not 0 <= self.score <= 1:
            raise ValueError(f"score={self.score}: expected a number in [0, 1]")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found."""

    examined: int
    """Candidates: pairs of image and class, of classes, or of images."""
    rule: str
    """One sentence: what is ranked by what, and from where on it is flagged."""
    findings: Sequence[Finding] = ()
    """Best first; the list goes on beyond those that are flagged."""

    @property
    def flagged(self) -> int:
        """Number of flagged findings."""
        return sum(one.flagged for one in self.findings)


@dataclass(frozen=True, slots=True)
class Audit:
    """The results of all checks."""

    class_names: Sequence[str]
    splits: Mapping[str, int]
    """Number of examined images of each split."""
    checks: Mapping[str, CheckResult]
    """By kind, in the order of `KINDS`."""
    run: Mapping[str, Any] = field(default_factory=dict)
    """What was audited: stages, commit, data set."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Images that could not be examined, with the reason."""
    settings: Mapping[str, int] = field(default_factory=dict)
    """Number of folds, and the seed."""

    @property
    def findings(self) -> list[Finding]:
        """Those of all checks, one check after the other."""
        return [one for check in self.checks.values() for one in check.findings]


def ranked(findings: Sequence[Finding], most: int) -> list[Finding]:
    """The best `most` findings and all that are flagged, best first; ties in order of their names.

    Args:
        findings: of one check.
        most: how many to keep at least, if there are so many.
    """
    order = sorted(
        findings,
        key=lambda one: (-one.score, one.image or "", one.label or "", one.other or ""),
    )
    return [one for rank, one in enumerate(order) if rank < most or one.flagged]


def write_audit(folder: Path, audit: Audit, *, finished: bool = True) -> None:
    """Write `audit.json` and `audit.csv`.

    Args:
        folder: of the audit.
        audit: its results.
        finished: whether all other files are there: a report takes no other audit.
    """
    write_table(folder / TABLE, audit)
    write_json(folder / AUDIT, {
        "version": FORMAT,
        "audit": VERSION,
        "finished": finished,
        **audit.settings,
        "run": dict(audit.run),
        "class_names": list(audit.class_names),
        "images": sum(audit.splits.values()),
        "splits": dict(audit.splits),
        "left_out": dict(audit.left_out),
        "checks": {
            kind: {
                "examined": check.examined,
                "flagged": check.flagged,
                "rule": check.rule,
                "findings": [_entry(one) for one in check.findings],
            }
            for kind, check in audit.checks.items()
        },
    })  # fmt: skip


def write_table(path: Path, audit: Audit) -> None:
    """Write all findings as a table, one a row; ranks count from 1 in each check."""
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(COLUMNS)
        for kind, check in audit.checks.items():
            for rank, one in enumerate(check.findings, start=1):
                rows.writerow([
                    rank, kind, one.image, one.split, one.label, one.other, f"{one.score:.6f}",
                    str(one.flagged).lower(), one.advice,
                ])  # fmt: skip


def read_audit(folder: Path) -> Audit:
    """Read the `audit.json` of a folder.

    Raises:
        FileNotFoundError: there is none.
        DamagedFileError: it is no JSON.
    """
    content = read_json(folder / AUDIT)
    return Audit(
        content["class_names"],
        content["splits"],
        {
            kind: CheckResult(
                check["examined"],
                check["rule"],
                [Finding(kind, **one) for one in check["findings"]],
            )
            for kind, check in content["checks"].items()
        },
        content["run"],
        content["left_out"],
        {name: content[name] for name in SETTINGS if name in content},
    )


def _entry(finding: Finding) -> dict[str, Any]:
    entry = asdict(finding)
    del entry["kind"]
    if not finding.images:
        del entry["images"]
    return entry
