#!/usr/bin/env python3
"""How many of the tags that are hidden from photographs `wsss audit` finds.

Usage:
    python scripts/benchmark_hidden_tags.py <voc2010_coseg> --output runs/hidden_tags.json

The second tag of some images with several is hidden, drawn by `--seed`: the data set is made anew
below the work folder, of links, with a table of its own. A run to the pseudo masks is audited, and
the first findings of the check `missing_tag` are counted: which are hidden tags by the list of what
was hidden, and which show the class in their mask (`oracle`; masks of this data set show tagged
classes only). All others are drawn on sheets of image, map and class, in the order of their rank,
for a person to count objects that nobody has tagged. Writes JSON; the same command goes on where it
was interrupted.
"""

import argparse
import sys
from pathlib import Path

from audit_benchmark.hidden_tags import hidden_tags, judged, with_hidden_tags
from audit_benchmark.sheets import write_sheets
from benchmark_audit import audited
from gpu_benchmark.environment import described
from gpu_benchmark.parts import make_console, table
from linked_photographs import table_rows
from rich.console import Console

from wsss.artifacts import read_json, write_json
from wsss.data.source import SPLITS
from wsss.data.sources.folder.folder import Folder

WORDS = ["experiment=voc_coseg", "data=folder", "backbone=efficientnet_lite0", "refine=crf"]


def parsed() -> argparse.Namespace:
    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=kind)
    add = parser.add_argument
    add("data", type=Path, help="a folder data set with labels.csv")
    add("--hidden", type=int, default=60, help="images whose second tag is hidden")
    add("--first", type=int, default=50, help="findings that are counted")
    add("--seed", type=int, default=0, help="of what is hidden")
    add("--set", nargs="+", default=[], metavar="WORD", help=f"settings beside {' '.join(WORDS)}")
    add("--work-dir", type=Path, default=Path("runs/hidden_tags"))
    add("--output", type=Path, default=Path("runs/benchmark_hidden_tags.json"))
    arguments = parser.parse_args()
    if not (arguments.data / "labels.csv").is_file():
        parser.error(f"{arguments.data}: no labels.csv in this folder; name a folder data set.")
    return arguments


def main(console: Console | None = None) -> int:
    """Hide, run, audit, count, draw and write."""
    arguments, console = parsed(), console or make_console()
    root, work = arguments.data.absolute(), arguments.work_dir.absolute()
    rows = table_rows(root)
    try:
        hidden = hidden_tags(rows, arguments.hidden, arguments.seed)
    except ValueError as error:
        console.print(f"{error}. Hide fewer.", style="red", soft_wrap=True)
        return 2
    folder = with_hidden_tags(root, rows, hidden, work)
    words = [*WORDS, f"data.root={folder}", *arguments.set]
    audit = audited(words, work)
    source = Folder(folder)
    items = {item.id: item for split in SPLITS for item in source.items(split)}
    listed = read_json(audit / "audit.json")["checks"]["missing_tag"]["findings"]
    findings = judged(listed[: arguments.first], hidden, source, items)
    rest = [one for one in findings if not one["hidden"]]
    sheets = write_sheets(rest, source, items, audit, arguments.output.with_suffix(""))
    counts = {
        "findings": len(findings),
        "hidden_tags": sum(one["hidden"] for one in findings),
        "in_mask_oracle": sum(one["in_mask_oracle"] is True for one in findings),
        "to_look_at": len(rest),
    }
    content = {
        "oracle": True,
        "environment": described("cpu"),
        "words": words,
        "seed": arguments.seed,
        "audit": audit.name,
        "counts": counts,
        "hidden": hidden,
        "findings": findings,
        "sheets": [str(path) for path in sheets],
    }
    write_json(arguments.output, content)
    console.print(
        table(
            "Missing tags",
            ["of the first findings", "number"],
            [
                ["findings", str(counts["findings"])],
                ["hidden tags", str(counts["hidden_tags"])],
                ["class in the mask (oracle)", str(counts["in_mask_oracle"])],
                ["to look at, on the sheets", str(counts["to_look_at"])],
            ],
        )
    )
    for path in (*sheets, arguments.output):
        console.print(f"Written: {path}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
