"""Maps of the images that a page of an audit shows."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from wsss.artifacts import atomic
from wsss.auditing.finding import CheckResult, Finding
from wsss.auditing.seen_images import SeenStore
from wsss.data.sample import Item


def keep_maps(
    folder: Path,
    checks: Mapping[str, CheckResult],
    items: Sequence[Item],
    store: SeenStore,
    names: tuple[str, ...],
) -> None:
    """Write the maps of images in flagged findings: their tags' and those of the findings.

    Args:
        folder: takes a file an image.
        checks: the results, by kind.
        items: all images.
        store: of what is seen in them.
        names: of the classes.
    """
    wanted: dict[str, set[str]] = defaultdict(set)
    flagged = [one for check in checks.values() for one in check.findings if one.flagged]
    together = _together(checks["inseparable_classes"].findings, items, names)
    for finding in flagged:
        for image in _images_of(finding, together):
            wanted[image] |= {finding.label} if finding.label else set()
    for item in items:
        if item.id not in wanted or not store.has(item):
            continue
        seen = store.read(item)
        tags = {label - 1 for label in item.labels}
        kept = [
            row
            for row, one in enumerate(seen.classes.tolist())
            if one in tags or names[one] in wanted[item.id]
        ]
        path = folder / f"{item.file_stem}.npz"
        with atomic(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, maps=seen.maps[kept], classes=seen.classes[kept])


def _together(
    findings: Sequence[Finding], items: Sequence[Item], names: tuple[str, ...]
) -> dict[tuple[str | None, str | None], list[str]]:
    """The images that show each flagged pair of classes together."""
    found = {}
    for one in findings:
        if one.flagged:
            pair = {names.index(str(name)) + 1 for name in (one.label, one.other)}
            found[one.label, one.other] = [item.id for item in items if pair <= {*item.labels}]
    return found


def _images_of(
    finding: Finding, together: Mapping[tuple[str | None, str | None], list[str]]
) -> list[str]:
    if finding.kind == "inseparable_classes":
        return together[finding.label, finding.other]
    if finding.image is None:
        return [*finding.images]
    other = [finding.other] if finding.kind == "near_duplicate" and finding.other else []
    return [finding.image, *other]
