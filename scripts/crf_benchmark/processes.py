"""What can be measured only in a fresh process: the first call, and the peak of memory."""

import os
import subprocess
import sys
import tempfile
from typing import Any

_CODE = """
import sys, time
start = time.perf_counter()
import numpy as np
from wsss.machine.memory import keep_freed_memory
from wsss.refine import {engine} as Engine
keep_freed_memory()
imported = time.perf_counter()
rng = np.random.default_rng(0)
engine = Engine(bilateral_sxy_px=50, bilateral_srgb=5)
seconds = []
for number in range({images}):
    size = ({height} - 4 * number, {width})
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    energies = rng.random(({labels}, *size), dtype=np.float32)
    made = time.perf_counter()
    engine(image, energies)
    seconds.append(time.perf_counter() - made)
status = open("/proc/self/status").read() if sys.platform == "linux" else "VmHWM: 0 kB"
peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
print(imported - start, seconds[0], peak)
"""


def fresh_run(
    engine: str, labels: int, size: tuple[int, int], images: int = 1, cache: str | None = None
) -> dict[str, float]:
    """Seconds of the import and of the first call, and the peak in megabytes, in a new process.

    It keeps its memory as the pipeline's do; `images` are of as many sizes, a little less each.
    """
    code = _CODE.format(engine=engine, labels=labels, height=size[0], width=size[1], images=images)
    environment = dict(os.environ) | ({"NUMBA_CACHE_DIR": cache} if cache else {})
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    imported, call, peak = (float(word) for word in answer.stdout.split())
    return {"import_s": imported, "call_s": call, "peak_mb": peak}


def first_and_later_calls() -> dict[str, Any]:
    """A call after installation, which compiles, and one of a later process: two labels."""
    with tempfile.TemporaryDirectory() as cache:
        first = fresh_run("NumbaEngine", 2, (60, 80), cache=cache)
        later = fresh_run("NumbaEngine", 2, (60, 80), cache=cache)
    return {"first": first, "later": later}


def memory(sizes: tuple[tuple[int, int], ...]) -> list[dict[str, Any]]:
    """Peak after six images of noise, the worst case, for each engine and size."""
    return [
        {"engine": engine, "size": list(size), "labels": labels}
        | fresh_run(engine, labels, size, images=6)
        for engine in ("NumbaEngine", "PydensecrfEngine")
        for size in sizes
        for labels in (2, 21)
    ]
