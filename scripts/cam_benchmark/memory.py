"""Peak memory of a method on one image, in a process of its own."""

import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from cam_benchmark.contestants import make_inputs, make_method, make_model
from cam_benchmark.timing import FORWARD

_MARK = "peak memory: "


def peak_of(
    model_name: str,
    method_name: str,
    overrides: Sequence[str],
    num_classes: int,
    size_px: int,
    num_present: int,
    device: torch.device,
) -> dict[str, float]:
    """Run a method once in this process, which should have done nothing before.

    Returns:
        megabytes: `peak`, of the process (of the GPU's allocator on a GPU); `above_model`, beyond
        what was held with the model loaded.
    """
    model = make_model(model_name, num_classes, device)
    method = None
    if method_name != FORWARD:
        method = make_method(method_name, overrides, device, trained=False)
    images, classes = make_inputs(model, 1, size_px, num_present, device)
    before = _held_mb(device)
    with torch.no_grad():
        if method is None:
            model(images)
        else:
            method.check(model)
            method(model, images, classes)
    peak = _peak_mb(device)
    return {"peak": peak, "above_model": max(0.0, peak - before)}


def print_peak(numbers: dict[str, float]) -> None:
    """Tell the parent process."""
    print(_MARK + json.dumps(numbers))


def peak_in_subprocess(script: Path, arguments: Sequence[str]) -> dict[str, float] | str:
    """Run `script` afresh; its numbers, or the last line of what went wrong."""
    command = [sys.executable, str(script), *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in answer.stdout.splitlines():
        if line.startswith(_MARK):
            return dict(json.loads(line.removeprefix(_MARK)))
    return (answer.stderr.strip().splitlines() or ["no output"])[-1]


def _held_mb(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device) / 2**20
    return _status_mb("VmRSS") or _peak_mb(device)


def _peak_mb(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    # A process that was just started counts its parent's memory in ru_maxrss; Linux's high-water
    # mark begins anew with the program.
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if sys.platform == "darwin":
        kilobytes //= 1024
    return _status_mb("VmHWM") or kilobytes / 1024


def _status_mb(field: str) -> float:
    """A size from /proc/self/status in megabytes; 0 where there is no such file."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return 0.0
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return float(lines[field].split()[0]) / 1024
