#!/usr/bin/env python3
"""What `wsss audit` finds of faults that are planted in the embedded data set.

Usage:
    python scripts/benchmark_audit.py --seeds 0 1 2
    python scripts/benchmark_audit.py --cases wrong_tags clean --seeds 0

One kind of fault at a time is planted (`data.faults.…`) where nothing else is wrong
(`data.context_bias=0`); a run to the pseudo masks is audited, and the ranking of the check that
should find the fault is scored: precision at the number of planted faults, and what is flagged.
Beside it cleanlab's confident learning, for wrong and missing tags, where it is installed: on the
out-of-fold probabilities given the whole image, and on those given its best cells, which are the
ones that the audit ranks by. `clean` has no fault: all that is flagged there is a false alarm.

Prints tables and writes JSON after every run. Nothing is taken from an earlier JSON: stages and
audits are kept below the work folder under their fingerprints, so that the same command goes on
where it was interrupted, and computes anew what other settings or other code have made.
"""

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from audit_benchmark.cases import CASES, CLEAN, planted_keys
from audit_benchmark.confident_learning import MISSING, is_installed, read_out_of_fold, suspects
from audit_benchmark.scoring import false_alarms, over_seeds, precision_at_planted, scores
from benchmark_levers import stage_folders
from gpu_benchmark.environment import described
from gpu_benchmark.parts import make_console, table
from rich.console import Console
from rich.table import Table

import wsss
from wsss.artifacts import file_digest, fingerprint, read_json, write_json
from wsss.data.sources.synthetic import Synthetic
from wsss.settings.build import build
from wsss.settings.compose import compose

BASE = ["experiment=demo", "data=synthetic", "refine=crf", "data.context_bias=0"]
STAGES = "stages=[classify,localize,refine]"
OUT_OF_FOLD = Path("evidence", "out_of_fold.npz")
REFERENCE = {"wrong_tags": True, "missing_tags": False}
"""Faults that confident learning looks for, and whether they are tags or lacking ones."""
PROBABILITIES = {"whole_image": "probabilities", "best_cells": "best_cells"}
"""Probabilities that confident learning is given, by what they are told of: names in the file."""

Runs = dict[str, dict[str, dict[str, Any]]]
"""What a run of a case (first key) with a seed (second) has found."""


def words_of(case: str, seed: int, more: Sequence[str] = ()) -> list[str]:
    """The settings of a run, but its stages and folders."""
    planted = [] if case == CLEAN else CASES[case].words
    return [*BASE, *planted, f"seed={seed}", f"data.seed={seed}", *more]


def audited(words: Sequence[str], work_dir: Path) -> Path:
    """Run the pipeline and audit it, what is finished excepted; gives the folder of the audit.

    The folder is named after the run's masks and the code of the audit.
    """
    run = stage_folders([*words, STAGES], work_dir)["refine"]
    own = Path(wsss.__file__).parent / "auditing"
    code = fingerprint([file_digest(path) for path in sorted(own.rglob("*.py"))])
    output = work_dir / "audit" / f"{run.name}_{code}"
    data = [word for word in words if word.startswith(("data=", "data."))]
    command = [sys.executable, "-m", "wsss", "audit", str(run), f"output={output}", *data]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return output


def measured(case: str, words: Sequence[str], audit: Path) -> dict[str, Any]:
    """What an audit has found of a case's faults."""
    content = read_json(audit / "audit.json")
    found: dict[str, Any] = {"words": [*words], "audit": audit.name, "run": content["run"]}
    if case == CLEAN:
        return {**found, "false_alarms": false_alarms(content["checks"])}
    source = build(compose("run", words).data)
    if not isinstance(source, Synthetic):
        raise TypeError(f"faults are planted in the embedded data set alone, not in {source.name}")
    check, planted = CASES[case].check, planted_keys(source)
    found["scores"] = scores(check, content["checks"][check], planted)
    if case in REFERENCE and is_installed():
        found["cleanlab"] = {
            told: precision_at_planted(
                suspects(read_out_of_fold(audit / OUT_OF_FOLD, name), REFERENCE[case]), planted
            )
            for told, name in PROBABILITIES.items()
        }
    return found


def summary(runs: Runs) -> dict[str, Any]:
    """Mean and deviation over seeds of all numbers of every case."""
    return {
        case: {
            part: over_seeds([one[part] for one in of_seeds.values() if part in one])
            for part in ("scores", "cleanlab", "false_alarms")
            if any(part in one for one in of_seeds.values())
        }
        for case, of_seeds in runs.items()
    }


def tables(runs: Runs) -> list[Table]:
    """What is found of every fault, and the false alarms where there is none."""
    found = summary(runs)
    rows = []
    for case, parts in found.items():
        if case == CLEAN:
            continue
        own = parts["scores"]
        by_cleanlab = parts.get("cleanlab", {})
        rows.append([
            case, CASES[case].check, str(len(runs[case])), f"{own['planted'][0]:.0f}",
            shown(own["precision"]), f"≥ {CASES[case].aim:g}",
            *(shown(by_cleanlab[one]) if one in by_cleanlab else "" for one in PROBABILITIES),
            shown(own["recall"]),
            f"{own['flagged'][0]:.1f}", f"{own['rank'][0]:.1f}" if "rank" in own else "",
        ])  # fmt: skip
    head = [
        "fault", "check", "seeds", "planted", "precision at planted", "aim",
        "cleanlab, whole image", "cleanlab, best cells",
        "recall of flagged", "flagged", "rank",
    ]  # fmt: skip
    made = [table("Planted faults", head, rows)] if rows else []
    if CLEAN in found:
        alarms = found[CLEAN]["false_alarms"].items()
        lines = [[kind, shown(own)] for kind, own in alarms]
        head = ["check", f"flagged, {len(runs[CLEAN])} seeds"]
        made.append(table("False alarms", head, lines))
    return made


def shown(number: tuple[float, float]) -> str:
    return f"{number[0]:.2f} ± {number[1]:.2f}"


def described_runs(runs: Runs) -> Mapping[str, Any]:
    """The content of the JSON file."""
    return {"environment": described("cpu"), "summary": summary(runs), "runs": runs}


def parsed() -> argparse.Namespace:
    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=kind)
    add = parser.add_argument
    add("--cases", nargs="+", choices=[*CASES, CLEAN], default=[*CASES, CLEAN], metavar="CASE",
        help=f"some of {', '.join([*CASES, CLEAN])}; all")  # fmt: skip
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the data and of the training")
    add("--set", nargs="+", default=[], metavar="WORD", help="more settings of every run")
    add("--work-dir", type=Path, default=Path("runs/audits"))
    add("--output", type=Path, default=Path("runs/benchmark_audit.json"))
    return parser.parse_args()


def main(console: Console | None = None) -> int:
    """Run, print and write."""
    arguments, console = parsed(), console or make_console()
    if not is_installed():
        console.print(MISSING, style="yellow", soft_wrap=True)
    runs: Runs = {}
    for case in arguments.cases:
        for seed in arguments.seeds:
            words = words_of(case, seed, arguments.set)
            audit = audited(words, arguments.work_dir.absolute())
            runs.setdefault(case, {})[str(seed)] = measured(case, words, audit)
            write_json(arguments.output, described_runs(runs))
            console.print(f"{case}, seed {seed}: {runs[case][str(seed)]['audit']}", soft_wrap=True)
    for one in tables(runs):
        console.print(one)
    console.print(f"Written: {arguments.output}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
