"""What results depend on: card, driver, libraries; and whether the card is idle."""

import os
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import torch

from gpu_benchmark.parts import Found, table
from wsss.machine.cores import usable_cores
from wsss.pipeline.versions import commit, versions

GPU, CPU = "gpu", "cpu"
"""Names of `trainer=…`."""
MORE_PACKAGES = ("triton", "numba", "pydensecrf2", "pytest", "pytest-xdist")
PYDENSECRF = "pydensecrf"
MAX_USED_MB = 1024
MAX_BUSY_PERCENT = 10


def chosen_device(word: str) -> str:
    """`gpu` or `cpu`; for `auto` a GPU if there is one."""
    if word != "auto":
        return word
    return GPU if torch.cuda.is_available() else CPU


def torch_device(device: str) -> torch.device:
    return torch.device("cuda" if device == GPU else "cpu")


def described(device: str) -> dict[str, Any]:
    """Card, driver and versions; None for what is not there."""
    on_gpu = device == GPU and torch.cuda.is_available()
    properties = torch.cuda.get_device_properties(0) if on_gpu else None
    return {
        "device": properties.name if properties else "cpu",
        "memory_gb": round(properties.total_memory / 2**30, 1) if properties else None,
        "compute_capability": f"{properties.major}.{properties.minor}" if properties else None,
        "driver": asked("driver_version") if on_gpu else None,
        "compute_mode": asked("compute_mode") if on_gpu else None,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if torch.backends.cudnn.is_available() else None,
        "cores": usable_cores(),
        "commit": commit(),
        "pydensecrf": find_spec(PYDENSECRF) is not None,
        "versions": versions() | {name: installed(name) for name in MORE_PACKAGES},
    }


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def asked(*fields: str) -> str | None:
    """What `nvidia-smi` answers on the first visible card; None where it does not."""
    if (program := shutil.which("nvidia-smi")) is None:
        return None
    words = [program, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").partition(",")[0]
    words += ["-i", visible] if visible else []
    try:
        answer = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True)
    except (subprocess.SubprocessError, OSError):
        return None
    return answer.stdout.strip().partition("\n")[0] or None


def others_on_card(device: str) -> str | None:
    """Why times on this card would mean little; None where it is idle, or is no card.

    Asked before this process has anything on the card.
    """
    if device != GPU:
        return None
    answer = asked("memory.used", "utilization.gpu")
    used, _, busy = (answer or "").partition(",")
    found = [
        f"{used.strip()} MB are in use" * (_number(used) > MAX_USED_MB),
        f"it is {busy.strip()} % busy" * (_number(busy) > MAX_BUSY_PERCENT),
    ]
    if not any(found) and answer is None:
        free, total = torch.cuda.mem_get_info()
        found = [f"{(total - free) >> 20} MB are in use" * (total - free >> 20 > 2 * MAX_USED_MB)]
    said = " and ".join(filter(None, found))
    return f"somebody else is on the card ({said}): times will be too long" if said else None


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return 0.0


def environment_part(found: Found, device: str, asked_for: str) -> None:
    """Tell the environment.

    Args:
        found: takes the numbers; a failure where a GPU was looked for, and there is none.
        device: `gpu` or `cpu`.
        asked_for: what the user asked for.
    """
    environment = described(device)
    found.numbers |= environment
    flat = {**environment, **environment["versions"]}
    del flat["versions"]
    rows = [[name, "–" if value is None else str(value)] for name, value in flat.items()]
    found.tables.append(table("Environment", ["", ""], rows))
    if device == GPU and not torch.cuda.is_available():
        found.failures.append("torch sees no GPU (torch.cuda.is_available() is false)")
    elif device == CPU and asked_for == "auto":
        found.failures.append(
            "there is no GPU: everything is computed on the CPU, which checks this script alone "
            "(--device cpu says that this is meant)"
        )
    if device == GPU and installed("triton") is None:
        found.failures.append("triton is not installed: kernels of the GPU cannot be checked")
    if not environment["pydensecrf"]:
        found.notes.append(
            "pydensecrf is not installed: tests that compare with it are left out. "
            "`pip install pydensecrf2` installs it (needs a C++ compiler)."
        )
