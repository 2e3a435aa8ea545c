"""How long commands take to start, beside `import torch`, which is T.

Usage:
    python scripts/benchmark_start.py --data my_images --output runs/benchmark_start.json
    python scripts/benchmark_start.py --data my_images --rounds 1 --only "wsss --help"

Every command is a fresh process on one thread, they take turns, and none writes byte code: as in a
container.
`--data` is a folder data set, the first photographs of which are checked and one of which is
explained; "headers" opens them with Pillow and decodes none. Each check starts in an empty folder.
CPU seconds are those of a command and its workers. Prints a table and writes JSON.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.util import cache_from_source, find_spec
from pathlib import Path
from statistics import median
from subprocess import DEVNULL, Popen

from linked_photographs import linked, table_rows

from wsss.artifacts import write_json

PYTHON = (sys.executable,)
WSSS = (*PYTHON, "-m", "wsss")
REFERENCE = "import torch"
HEADERS = """\
import sys
from pathlib import Path
from PIL import Image
for path in Path(sys.argv[1]).iterdir():
    with Image.open(path) as picture:
        picture.size
"""
MISTAKES = {"a mistyped key": 1}
"""Exit status of the commands that are meant to fail."""
MODEL = ("model=timm:tf_efficientnet_lite0", "weights=package")
"""Of the explanation: a network whose weights are installed."""


def commands(data: Path, image: Path) -> dict[str, tuple[str, ...]]:
    """What is timed; `{new}` stands for a folder that does not exist yet."""
    return {
        REFERENCE: (*PYTHON, "-c", REFERENCE),
        "wsss --help": (*WSSS, "--help"),
        "wsss run --help": (*WSSS, "run", "--help"),
        "a mistyped key": (*WSSS, "run", "sed=1"),
        "wsss explain, CAM": (*WSSS, "explain", str(image), *MODEL),
        "headers": (*PYTHON, "-c", HEADERS, str(data / "images")),
        "wsss check": (*WSSS, "check", "data=folder", f"data.root={data}", "work_dir={new}"),
    }


def parsed() -> argparse.Namespace:
    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=kind)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="a folder data set of photographs")
    add("--count", type=int, default=600, help="photographs to check")
    add("--rounds", type=int, default=5)
    add("--only", nargs="+", default=[], help="names of the commands to time")
    add("--output", type=Path, default=Path("runs/benchmark_start.json"))
    return parser.parse_args()


def main() -> None:
    arguments = parsed()
    with tempfile.TemporaryDirectory() as folder:
        root = arguments.data.absolute()
        rows = table_rows(root)[: arguments.count]
        data = linked(root, rows, Path(folder) / "data")
        contestants = commands(data, next((data / "images").iterdir()))
        for name in set(contestants) - {REFERENCE, *(arguments.only or contestants)}:
            del contestants[name]
        times = interleaved(contestants, arguments.rounds, Path(folder))
    result = {
        "cores": os.cpu_count(),
        "byte_code": Path(cache_from_source(str(find_spec("torch").origin))).is_file(),
        "photographs": arguments.count,
        "rounds": arguments.rounds,
        "date": datetime.now().astimezone().isoformat(timespec="minutes"),
        "seconds": times,
    }
    write_json(arguments.output, result)
    print(table(times))


def interleaved(
    contestants: Mapping[str, Sequence[str]], rounds: int, folder: Path
) -> dict[str, dict[str, float]]:
    """Median wall and CPU seconds of each command; they take turns, and one round warms up."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for position, (name, words) in enumerate(contestants.items()):
            new = folder / f"{number}-{position}"
            new.mkdir()
            words = [word.replace("{new}", str(new / "work")) for word in words]
            spent = run(words, new, MISTAKES.get(name, 0))
            if number > 0:
                seconds[name].append(spent)
    return {
        name: dict(zip(("wall", "cpu"), map(median, zip(*spent, strict=True)), strict=True))
        for name, spent in seconds.items()
    }


def run(words: Sequence[str], folder: Path, expected: int) -> tuple[float, float]:
    """Wall and CPU seconds of a command in a folder, which ends with the expected status."""
    # Threads of torch that wait for each other on a busy machine would be all there is to see.
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    start = time.perf_counter()
    with Popen(words, cwd=folder, env=environment, stdout=DEVNULL, stderr=DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != expected:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime


def table(times: Mapping[str, Mapping[str, float]]) -> str:
    """The seconds of every command, and how many T they are."""
    unit = times[REFERENCE]["wall"]
    rows = [["command", "wall", "CPU", "wall / T"], ["---", "---:", "---:", "---:"]]
    rows += [
        [name, f"{spent['wall']:.2f} s", f"{spent['cpu']:.2f} s", f"{spent['wall'] / unit:.2f}"]
        for name, spent in times.items()
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main()
