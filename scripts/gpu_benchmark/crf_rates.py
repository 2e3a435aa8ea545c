"""Images a second of the dense CRF, by `benchmark_crf_gpu.py`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from gpu_benchmark.commands import CommandError, run_command
from gpu_benchmark.environment import GPU
from gpu_benchmark.parts import Found, at_least, table
from wsss.artifacts import read_json

SCRIPT = Path(__file__).parents[1] / "benchmark_crf_gpu.py"
AIMS = {"2 labels": 500.0, "3 labels": 500.0, "21 labels": 150.0}
WORDS = ("--count", "32", "--rounds", "2", "--groups", "16")


def crf_part(
    found: Found, data: Path, folder: Path, device: str, limit_s: float, more: Sequence[str]
) -> None:
    """Run the benchmark of the dense CRF on photographs of the data set.

    Args:
        found: takes its result, also of the parts before it was stopped.
        data: folder data set, whose images are taken.
        folder: takes its file and what it said.
        device: `gpu` or `cpu`.
        limit_s: seconds.
        more: words of its command line.
    """
    path = folder / "benchmark_crf_gpu.json"
    path.unlink(missing_ok=True)
    words = [sys.executable, str(SCRIPT), "--images", str(data / "images"), *WORDS]
    words += ["--output", str(folder), "--device", "cuda" if device == GPU else "cpu", *more]
    try:
        run_command(words, folder / "crf.log", limit_s)
    except CommandError as error:
        found.failures.append(str(error))
    parts = read_json(path)["parts"] if path.is_file() else []
    found.numbers["parts"] = parts
    rows = []
    for one in parts:
        if "images_per_s" not in one:
            continue
        rates, name = one["images_per_s"], one["name"]
        if name in AIMS:
            found.aims.append(at_least(f"images/s, {name}", rates["gpu"], AIMS[name]))
        rows.append(
            [name, f"{rates['gpu']:.0f}", f"{rates['cpu']:.0f}",
             f"{rates['gpu'] / rates['cpu']:.1f}", f"{one['first_call_s']:.1f}",
             f"{one['labels_differ']:.1e}"]
        )  # fmt: skip
    head = ["images/s", "GPU", "numba, all cores", "×", "first call, s", "labels that differ"]
    found.tables.append(table("Dense CRF", head, rows))
