"""Work folders that are drawn by hand."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from wsss.artifacts import Manifest, RunRecord
from wsss.runs.choice import DAY_S

Key = tuple[str, str]


@pytest.fixture(scope="session")
def long_ago_s() -> float:
    """When everything was written, in seconds since 1970: 30 days ago."""
    return time.time() - 30 * DAY_S


@pytest.fixture
def write_stage(long_ago_s: float) -> Callable[..., Path]:
    """Write a stage's folder with one mask: `write_stage(work_dir, key, inputs)`.

    Without inputs, it has not finished.
    """

    def write(work_dir: Path, key: Key, inputs: Mapping[str, str] | None = None) -> Path:
        folder = work_dir.joinpath(*key)
        (folder / "masks").mkdir(parents=True)
        (folder / "masks" / "cat.png").write_bytes(b"x" * 1000)
        if inputs is not None:
            basis = {"inputs": inputs}
            Manifest(*key, {"a": {"b": 1}}, {"n": 2.0}, basis=basis).write(folder)
        for path in (*folder.rglob("*"), folder):
            os.utime(path, (long_ago_s, long_ago_s))
        return folder

    return write


@pytest.fixture
def write_record(long_ago_s: float) -> Callable[..., Path]:
    """Write a run's record: `write_record(log, *keys)`, `log` in a folder below the work folder."""

    def write(log: Path, *keys: Key, work_dir: Path, status: str = "finished") -> Path:
        record = RunRecord(words=[], status=status)
        record.note_stages(log, {stage: work_dir / stage / name for stage, name in keys})
        record.write(log)
        os.utime(log / "run.json", (long_ago_s, long_ago_s))
        return log / "run.json"

    return write
