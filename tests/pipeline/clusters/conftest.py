"""Runs of two processes that nobody disturbs, and what stages leave that others must equal."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

STAGES = (
    "classify", "localize", "affinity", "propagate", "refine", "segment", "evaluate",
    "oracle_bound", "oracle_bound_same_schedule",
)  # fmt: skip
"""Those whose results tell no time, as the report does, which shows how long all others took."""
KEPT = {
    "classify": "classifier.safetensors",
    "reactivate": "classifier.safetensors",
    "oppose": "pair_heads.safetensors",
    "localize": "seeds",
    "affinity": "affinity_heads.safetensors",
    "propagate": "seeds",
    "refine": "masks",
    "segment": "segmenter.safetensors",
    "evaluate": "",
    "oracle_bound": "predictions",
    "oracle_bound_same_schedule": "oracle_segmenter.safetensors",
    "report": "report.html",
}
"""What a stage leaves for others: its bytes count. Of `evaluate`, all that tells no time."""
TIMES = {"manifest.json", "checksums.b2sum"}


@pytest.fixture(scope="session")
def of_affinity(tiny_methods: dict[str, Sequence[str]]) -> Sequence[str]:
    """Settings of a run that has all stages but those of methods with a training of their own."""
    return tiny_methods["affinity"]


@pytest.fixture(scope="session")
def of_two(of_affinity: Sequence[str]) -> Sequence[str]:
    """Those of such a run of two processes."""
    return ("trainer=ddp_cpu", "workers=1", "bound=true", *of_affinity)


@pytest.fixture(scope="session")
def finish(start: Callable[..., object]) -> Callable[..., Path]:
    """Run to the end: `finish(work_dir, *words)`."""

    def run(work_dir: Path, *words: str) -> Path:
        process = start(work_dir, *words)
        assert process.wait() == 0, process.output.read_text()
        return work_dir

    return run


@pytest.fixture(scope="session")
def whole(
    finish: Callable[..., Path],
    of_two: Sequence[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The work folder of a run of two processes that nobody disturbs; not to be changed."""
    return finish(tmp_path_factory.mktemp("whole"), *of_two)


@pytest.fixture(scope="session")
def results(content: Callable[[Path], dict[str, bytes]]) -> Callable[..., dict[str, object]]:
    """The bytes of what each stage has left in a work folder, by stage and file."""

    def read(work_dir: Path, stages: Sequence[str] = STAGES) -> dict[str, object]:
        found: dict[str, object] = {}
        for stage in stages:
            (folder,) = (path.parent for path in work_dir.glob(f"{stage}/*/manifest.json"))
            kept = folder / KEPT[stage]
            if kept.is_file():
                found[stage] = kept.read_bytes()
            else:
                files = content(kept).items()
                found[stage] = {name: one for name, one in files if name not in TIMES}
        return found

    return read
