"""The same run twice on the same card: which bytes differ, and whether that was announced."""

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from gpu_benchmark.commands import manifests, run_wsss, stage_folders
from gpu_benchmark.parts import Found, table
from gpu_benchmark.small_runs import WALK, chosen_stages
from wsss.artifacts import Manifest

SUFFIXES = (".safetensors", ".npz", ".npy", ".png")
STAGES = ("classify", "localize", "affinity", "propagate", "refine", "segment", "evaluate")
SAME = "same bytes"
NAMED = "differs, its operations are named"
INHERITED = "differs, so do its inputs"
UNNAMED = "differs, and names no operation"


@dataclass(frozen=True, slots=True)
class Repeat:
    """A stage of two runs."""

    files: int
    differ: list[str]
    """Files with other bytes, or of one run alone."""
    nondeterministic: list[str]
    """Operations that either manifest names."""
    inputs_that_differ: list[str]
    verdict: str


def repeats_part(
    found: Found, words: Sequence[str], folder: Path, device: str, limit_s: float
) -> None:
    """Run the small pipeline twice, at the same time, and compare its files.

    Args:
        found: takes each stage's verdict; a difference that nothing announces is a failure.
        words: settings of a small run.
        folder: takes both runs' folders.
        device: `gpu` or `cpu`.
        limit_s: seconds of each run.
    """
    chosen = [*WALK, *words, f"trainer={device}", chosen_stages(*STAGES)]
    work_dirs = [folder / name for name in ("first", "second")]
    with ThreadPoolExecutor(len(work_dirs)) as both:
        jobs = [
            both.submit(run_wsss, chosen, work_dir, folder / f"{work_dir.name}.log", limit_s)
            for work_dir in work_dirs
        ]
        for job in jobs:
            job.result()
    judge(found, *work_dirs)


def judge(found: Found, first: Path, second: Path) -> None:
    """Compare two finished runs, stage by stage."""
    stages = compared(first, second)
    found.numbers["stages"] = {stage: asdict(one) for stage, one in stages.items()}
    rows = [
        [
            stage, str(one.files), str(len(one.differ)), ", ".join(one.nondeterministic) or "none",
            one.verdict,
        ]
        for stage, one in stages.items()
    ]  # fmt: skip
    head = ["stage", "files", "differ", "named operations", ""]
    found.tables.append(table("The same run twice", head, rows))
    for stage, one in stages.items():
        if one.verdict == UNNAMED:
            found.failures.append(f"{stage} {one.verdict}: {', '.join(one.differ[:3])}")
    if missing := set(stage_folders(first)) ^ set(stage_folders(second)):
        found.failures.append(f"only one run finished {', '.join(sorted(missing))}")


def compared(first: Path, second: Path) -> dict[str, Repeat]:
    """Each stage that both runs finished."""
    folders = [stage_folders(work_dir) for work_dir in (first, second)]
    records = [manifests(work_dir) for work_dir in (first, second)]
    result: dict[str, Repeat] = {}
    for stage in folders[0]:
        if stage in folders[1]:
            mine, theirs = (digests(of[stage]) for of in folders)
            differ = sorted(name for name in mine | theirs if mine.get(name) != theirs.get(name))
            manifests_of = [of[stage] for of in records]
            result[stage] = repeat(len(mine | theirs), differ, manifests_of, result)
    return result


def repeat(
    files: int, differ: list[str], of: Sequence[Manifest], before: Mapping[str, Repeat]
) -> Repeat:
    """The verdict on a stage, given those on the stages before it."""
    named = sorted({name for manifest in of for name in manifest.nondeterministic})
    inputs = [
        name for name in of[0].basis.get("inputs", {}) if name in before and before[name].differ
    ]
    verdict = UNNAMED
    if not differ:
        verdict = SAME
    elif named:
        verdict = NAMED
    elif inputs:
        verdict = INHERITED
    return Repeat(files, differ, named, inputs, verdict)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every result file below a folder, by relative path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in SUFFIXES and path.is_file():
            with path.open("rb") as stream:
                name = path.relative_to(folder).as_posix()
                found[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found
