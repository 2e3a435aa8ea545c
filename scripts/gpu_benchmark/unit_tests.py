"""The project's tests that need a GPU, by pytest, and what its XML tells of them."""

import os
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gpu_benchmark.commands import CommandError, run_command
from gpu_benchmark.environment import GPU, asked, installed
from gpu_benchmark.parts import Found

LIBRARIES = ("pydensecrf", "captum", "pytorch_grad_cam", "torchcam", "wandb", "tensorboard")
"""What only tests need: those that miss one of these are left out, the others are failures."""
MISSING = ("No module named", "is not installed")
PROCESSES = 4
MIN_GB = 32
"""Of the card, for several processes: each has a context of its own, and small tensors."""
NONE_COLLECTED, SOME_FAILED = 5, 1
SHOWN = 10


@dataclass(slots=True)
class Tests:
    """Results of tests by name."""

    passed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """By reason."""
    failed: dict[str, str] = field(default_factory=dict)
    """With the first line of the error."""
    lacking: dict[str, str] = field(default_factory=dict)
    """Tests, or files of them, that need a library that is not there, by name."""


def unit_tests_part(
    found: Found, paths: Sequence[Path], folder: Path, device: str, limit_s: float
) -> None:
    """Run `pytest -m gpu`.

    Args:
        found: takes counts, and the names of the failures.
        paths: files or folders of tests.
        folder: where `tests.xml` and `tests.log` are written.
        device: `gpu` or `cpu`, which skips them all.
        limit_s: seconds; what ended until then is reported.
    """
    if installed("pytest") is None:
        found.failures.append("pytest is not installed: `pip install pytest`")
        return
    xml, log = folder / "tests.xml", folder / "tests.log"
    xml.unlink(missing_ok=True)
    count = processes(device)
    words = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:benchmark"]
    words += ["-p", "no:cacheprovider", "--continue-on-collection-errors", f"--junit-xml={xml}"]
    words += [f"--numprocesses={count}", "--dist=loadfile"] if count > 1 else []
    threads = {"OMP_NUM_THREADS": "1"} if count > 1 else {}
    stopped = None
    try:
        run_command(
            [*words, *map(str, paths)], log, limit_s, (0, SOME_FAILED, NONE_COLLECTED), **threads
        )
    except CommandError as error:
        stopped = str(error)
    tests = read_junit(xml) if xml.is_file() else Tests()
    found.numbers |= {
        "processes": count,
        "passed": tests.passed,
        "skipped": dict(tests.skipped),
        "failed": tests.failed,
        "lacking": tests.lacking,
    }
    found.notes.append(
        f"{tests.passed} passed, {len(tests.failed)} failed, {tests.skipped.total()} skipped, "
        f"{len(tests.lacking)} left out for want of a library, in {count} process(es)"
    )
    for library in sorted(set(tests.lacking.values())):
        names = [name for name, lacks in tests.lacking.items() if lacks == library]
        found.notes.append(f"left out, {library} is not installed: {listed(names)}")
    # A collection that ends with an error makes pytest's status that of an interruption.
    if stopped is not None and not (tests.lacking and xml.is_file() and "status 2" in stopped):
        found.failures.append(stopped)
    if tests.failed:
        found.failures.append(f"{len(tests.failed)} failed: {listed(list(tests.failed))}")
    elif device == GPU and not tests.passed:
        found.failures.append("no test ran on the GPU")


def processes(device: str) -> int:
    """How many processes share the card: one, or four where that is safe.

    Tests look at no memory but their own process's, and at no clock. A card in an exclusive mode
    takes one process alone.
    """
    import torch

    if device != GPU or installed("pytest-xdist") is None or not torch.cuda.is_available():
        return 1
    large = torch.cuda.get_device_properties(0).total_memory >= MIN_GB * 2**30
    shared = asked("compute_mode") in (None, "Default")
    return min(PROCESSES, os.cpu_count() or 1) if large and shared else 1


def read_junit(path: Path) -> Tests:
    """The results in an XML file of pytest."""
    tests = Tests()
    for case in ET.parse(path).getroot().iter("testcase"):
        name = "::".join(filter(None, (case.get("classname"), case.get("name"))))
        verdicts = {verdict.tag: verdict for verdict in case}
        if (skipped := verdicts.get("skipped")) is not None:
            tests.skipped[skipped.get("message", "")] += 1
        elif wrong := [verdicts[tag] for tag in ("failure", "error") if tag in verdicts]:
            text = f"{wrong[0].get('message', '')}\n{wrong[0].text or ''}"
            if library := missing_library(text):
                tests.lacking[name] = library
            else:
                lines = [line for line in text.splitlines() if line.strip()]
                tests.failed[name] = lines[0] if lines else ""
        else:
            tests.passed += 1
    return tests


def missing_library(text: str) -> str | None:
    """The library of `LIBRARIES` for whose absence a test failed; None where it was another."""
    for line in text.splitlines():
        for library in LIBRARIES:
            if library in line and any(words in line for words in MISSING):
                return library
    return None


def listed(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    names = sorted(names)
    return ", ".join(names[:SHOWN]) + more
