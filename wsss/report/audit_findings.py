"""What an audit of a run's data has found, read from its `audit.json`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsss.artifacts import read_json
from wsss.report.audit_kinds import CHECKS

AUDIT = "audit"
"""The folder of audits, beside those of the stages."""
FILE = "audit.json"
VERSION = 4
"""Of audits; raised when the same run gives another one."""
CACHE, STATE = "cache", "state.json"
"""What an audit computes and locks in its folder, and the file there that says whose it is and
whether it has finished."""
MOST = 5
"""Findings of a kind that are listed; the audit's own page has all."""


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One finding of an audit."""

    about: str
    """Image and class, or two images, or two classes."""
    advice: str


@dataclass(frozen=True, slots=True)
class AuditKind:
    """What one check of the audit has found."""

    title: str
    """With its number: `3 objects without a tag`."""
    examined: int
    flagged: int
    rule: str
    findings: tuple[AuditFinding, ...]
    """The first flagged ones."""


@dataclass(frozen=True, slots=True)
class AuditFindings:
    """The audit of a run."""

    page: str
    """Its page, as a path from the report's folder."""
    images: int
    kinds: tuple[AuditKind, ...]

    @property
    def flagged(self) -> int:
        """Findings of all kinds that the audit flags."""
        return sum(kind.flagged for kind in self.kinds)


def find_audits(
    work_dir: Path, fingerprints: Mapping[str, str], data: Mapping[str, str]
) -> list[Path]:
    """The `audit.json` of every audit that tells of a run as it is, the most thorough one first.

    That is an audit that has finished, was computed by this version, and of the run's own data. The
    one with the most folds is first, since its heads learned from the most images; of equals the
    one with the lower seed, then the first by name.

    Args:
        work_dir: parent of the stages' folders.
        fingerprints: of the run's stages, by name. An audit is the run's if all stages that it
            names are among them; the run may have more.
        data: fingerprints of the run's data, by split.
    """
    ranked = []
    for path in sorted((work_dir / AUDIT).glob(f"*/{FILE}")):
        content = read_json(path)
        if _is_of(content, fingerprints, data):
            ranked.append((-int(content.get("folds", 0)), int(content.get("seed", 0)), path))
    return [path for *_, path in sorted(ranked)]


def read_audit_findings(path: Path) -> AuditFindings:
    """The findings of an audit, those that it flags."""
    content = read_json(path)
    return AuditFindings(
        page=f"../../{AUDIT}/{path.parent.name}/index.html",
        images=int(content.get("images", 0)),
        kinds=tuple(_kind(kind, check) for kind, check in content.get("checks", {}).items()),
    )


def _kind(name: str, check: Mapping[str, Any]) -> AuditKind:
    flagged = [one for one in check.get("findings", ()) if one.get("flagged")]
    number = int(check.get("flagged", len(flagged)))
    return AuditKind(
        title=f"{number:,} {_called(name, number)}",
        examined=int(check.get("examined", 0)),
        flagged=number,
        rule=str(check.get("rule", "")),
        findings=tuple(_finding(one) for one in flagged[:MOST]),
    )


def _called(name: str, number: int) -> str:
    """What a number of findings of a kind is called."""
    if name not in CHECKS:  # Of another version.
        return name.replace("_", " ")
    return CHECKS[name].one if number == 1 else CHECKS[name].several


def _finding(content: Mapping[str, Any]) -> AuditFinding:
    about = (content.get(name) for name in ("image", "label", "other"))
    return AuditFinding(" · ".join(str(one) for one in about if one), content.get("advice") or "")


def _is_of(
    content: Mapping[str, Any], fingerprints: Mapping[str, str], data: Mapping[str, str]
) -> bool:
    """Whether an audit names stages, the run has all of them, and nothing has changed since."""
    named = audited_stages(content)
    return (
        bool(named)
        and named.items() <= fingerprints.items()
        and content.get("finished") is True
        and content.get("audit") == VERSION
        and content.get("run", {}).get("data_fingerprints") == dict(data)
    )


def audited_stages(content: Mapping[str, Any]) -> dict[str, str]:
    """Fingerprints of the stages that an audit is made from, by name; empty where it names none."""
    stages = content.get("run", {}).get("stages", {})
    if not isinstance(stages, Mapping):
        return {}
    return {str(name): Path(str(folder)).name for name, folder in stages.items()}
