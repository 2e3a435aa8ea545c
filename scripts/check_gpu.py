"""Does everything compute on this GPU what it computes on a CPU? Four minutes on a large card.

Usage:
    scripts/check_gpu.sh
    scripts/check_gpu.sh my_images --output runs/check_gpu
    scripts/check_gpu.sh --parts environment repeats

DATA is the root of a `data=folder` data set, of which a few photographs are taken; without one the
embedded data set is drawn. Parts, each with a line of its own and written to check_gpu.json as it
ends; one that fails does not stop the next, and the exit status tells whether all passed:

    environment  card, driver, libraries, and what of them is missing
    tests        `pytest -m gpu`, with tests.xml and tests.log in the output folder
    devices      seeds and pseudo masks of one classifier on CPU and GPU; the dense CRF alone
    repeats      the same run twice on the card: which files differ in bytes, and whether the
                 stages' manifests name an operation that explains it

Without a GPU the first part fails, unless --device cpu says that this is meant; the others then
only show that the script works. The times it prints are no benchmark: parts run side by side.
"""

import argparse
import shutil
import sys
from pathlib import Path

from gpu_benchmark.commands import children_ended
from gpu_benchmark.device_agreement import device_agreement_part
from gpu_benchmark.environment import CPU, GPU, chosen_device, described, environment_part
from gpu_benchmark.parts import Parts, make_console
from gpu_benchmark.repeats import repeats_part
from gpu_benchmark.small_runs import settings, small_data
from gpu_benchmark.unit_tests import unit_tests_part

ENVIRONMENT, TESTS, DEVICES, REPEATS = PARTS = ("environment", "tests", "devices", "repeats")
ROOT = Path(__file__).parents[1]


def parsed() -> argparse.Namespace:
    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "check_gpu.sh", "check_gpu.sh [DATA] [options]", __doc__, formatter_class=kind
    )
    add = parser.add_argument
    add("data", type=Path, nargs="?", metavar="DATA", help="a folder data set")
    add("--output", type=Path, default=Path("runs/check_gpu"))
    add("--device", choices=("auto", GPU, CPU), default="auto", help="a GPU if there is one")
    add("--parts", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    add("--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings of the small runs")
    add("--tests", type=Path, nargs="+", default=[ROOT / "tests"], help="files of tests")
    add("--tests-limit-s", type=float, default=130.0, help="seconds of the tests")
    add("--limit-s", type=float, default=235.0, help="seconds after which no part begins")
    return parser.parse_args()


def main() -> int:
    options = parsed()
    device = chosen_device(options.device)
    folder: Path = options.output.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "check_gpu.json"
    head = {"environment": described(device)}
    parts = Parts(path, head, options.limit_s, True, make_console())
    small = small_data(options.data, emptied(folder / "data"))
    words = settings(small, *options.set)
    measures = {
        ENVIRONMENT: lambda found: environment_part(found, device, options.device),
        TESTS: lambda found: unit_tests_part(
            found, options.tests, folder, device, min(options.tests_limit_s, parts.left_s)
        ),
        DEVICES: lambda found: device_agreement_part(
            found, words, emptied(folder / DEVICES), device, parts.left_s
        ),
        REPEATS: lambda found: repeats_part(
            found, words, emptied(folder / REPEATS), device, parts.left_s
        ),
    }
    with children_ended():
        for name in PARTS:
            if name in options.parts:
                parts.run(name, measures[name])
    print(f"Written to {path}")
    return 0 if parts.passed else 1


def emptied(folder: Path) -> Path:
    """A folder of an earlier check, removed: finished stages would be found, and not checked."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
