"""`labels.corrected.csv`: the tags as they would be if all findings were right."""

import csv
from collections.abc import Sequence
from pathlib import Path

from wsss.artifacts import atomic
from wsss.auditing.corrections import corrections
from wsss.auditing.finding import Finding
from wsss.auditing.label_cells import SEPARATOR, label_cells
from wsss.data.source import SPLITS, Source

PROPOSAL = "labels.corrected.csv"
COLUMNS = ("image", "labels", "was")


def write_proposal(path: Path, source: Source, findings: Sequence[Finding]) -> None:
    """Write a row for each image, in the form that `data=folder` reads.

    Flagged findings with one possible correction are followed; where a person has to choose, as of
    near-duplicates with different tags, nothing changes.

    Args:
        path: of the table.
        source: the data set, which stays as it is.
        findings: of an audit.
    """
    tags = {
        item.id: [source.class_names[label - 1] for label in item.labels]
        for split in SPLITS
        for item in source.items(split)
    }
    corrected = {item_id: [*names] for item_id, names in tags.items()}
    for finding in findings:
        choices = corrections(finding, tags) if finding.flagged else []
        if len(choices) != 1:
            continue
        for item_id, (added, removed) in choices[0].tags.items():
            kept = [name for name in corrected[item_id] if name not in removed]
            corrected[item_id] = kept + [name for name in added if name not in kept]
    place = {name: number for number, name in enumerate(source.class_names)}
    new = [sorted(names, key=place.__getitem__) for names in corrected.values()]
    cells = label_cells(new, source.class_names)
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(COLUMNS)
        for (item_id, names), tagged, cell in zip(tags.items(), new, cells, strict=True):
            was = SEPARATOR.join(names) if {*tagged} != {*names} else ""
            rows.writerow([item_id, cell, was])
