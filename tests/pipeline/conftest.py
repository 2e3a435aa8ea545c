"""A pipeline so small that a test can run it whole, in this process or by the command."""

import itertools
import json
import logging
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import timm
from hydra import compose, initialize_config_dir

from wsss.pipeline import run as pipeline
from wsss.pipeline.execution import Outcome
from wsss.settings.config_dir import config_dir

TINY_STAGES = (
    "classify.max_epochs=4",
    "classify.feature_scales.factors=[1.0]",
    "classify.feature_windows=1",
    "localize.scales.factors=[1.0]",
    "localize.batch_size=2",
    "refine.method.engine.num_iterations=2",
    "segmenter.decoder_channels=16",
    "segmenter.trains_from=blocks.6",
    "segment.max_epochs=2",
    "segment.batch_size=4",
    "segment.classifier_weight=1",
    "segment.augmentation.crop_px=64",
    "oracle_bound.max_epochs=1",
    "evaluate.scales.factors=[1.0]",
    "evaluate.crf.num_iterations=1",
    "evaluate.batch_size=2",
    "evaluate.gallery_images=1",
)
TINY_METHODS = {
    "cam": ("cam=cam",),
    "recam": (
        "cam=recam",
        "reactivate.max_epochs=2",
        "reactivate.batch_size=4",
        "reactivate.augmentation.crop_px=64",
    ),
    "meng": ("cam=meng", "oppose.max_epochs=2", "oppose.batch_size=4"),
    "affinity": (
        "refine=affinity_crf",
        "affinity.labels.engine.num_iterations=1",
        "affinity.max_epochs=2",
        "affinity.batch_size=4",
        "affinity.augmentation.crop_px=64",
        "affinity.radius=4",
        "propagate.num_steps=4",
    ),
    "feature_affinity": ("refine=feature_affinity_crf", "propagate.num_steps=4"),
    "attention_affinity": (
        "refine=attention_affinity_crf",
        "propagate.method.attention_network.name=deit_tiny_patch16_224",
        "propagate.method.attention_network.weights=null",
        "propagate.num_steps=4",
    ),
    "rounds": (
        "segment.rounds=2",
        "segment.max_epochs=1",
        "segment.relabel.scales.factors=[1.0]",
        "segment.relabel.method.engine.num_iterations=1",
    ),
    "probe": (
        "refine=probe_crf",
        "probe.labels.engine.num_iterations=1",
        "probe.scales.factors=[1.0]",
        "probe.cells_per_image=16",
        "probe.max_epochs=2",
        "probe.batch_size=32",
    ),
}
"""What each method takes that has, or has not, a stage of its own."""
TINY = ("data.num_train=9", "data.num_val=5", "data.size_px=64", *TINY_STAGES)
IN_THIS_PROCESS = "workers=0"
"""What spares a test the start of loader and CRF processes, unless it says how many it wants."""

Run = Callable[..., dict[str, Outcome]]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


def run_pipeline(
    work_dir: Path, *overrides: str, tiny: Sequence[str] = TINY, without: tuple[str, ...] = ()
) -> dict[str, Outcome]:
    tiny = [setting for setting in tiny if not setting.startswith(without)]
    settings = [*tiny, f"work_dir={work_dir}", *with_workers(overrides)]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("run", overrides=settings)
    with warnings.catch_warnings():
        # Lightning's advice on loaders and logging steps is not meant for nine images.
        warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
        return {outcome.stage: outcome for outcome in pipeline.run(cfg)}


@pytest.fixture(scope="session")
def run() -> Run:
    """Run the tiny pipeline in this process: `run(work_dir, *overrides)` gives its outcomes.

    Settings of the tiny pipeline that begin with one of `without` are left as they are.
    """
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    return run_pipeline


@pytest.fixture(scope="session")
def tiny_methods() -> Mapping[str, Sequence[str]]:
    """Overrides of the tiny pipeline for each way a method learns."""
    return TINY_METHODS


@pytest.fixture(scope="session")
def tiny_overrides() -> Sequence[str]:
    """Overrides that make the pipeline tiny."""
    return TINY


@pytest.fixture(scope="session")
def tiny_words() -> Sequence[str]:
    """Settings of the tiny pipeline."""
    return TINY


@pytest.fixture
def run_on(run: Run) -> Run:
    """Run the tiny pipeline on a folder: `run_on(root, work_dir, *overrides)`."""

    def execute(root: Path, work_dir: Path, *overrides: str) -> dict[str, Outcome]:
        return run(work_dir, "data=folder", f"data.root={root}", *overrides, tiny=TINY_STAGES)

    return execute


@pytest.fixture
def wsss(call_command: Callable[..., tuple[int, str]]) -> Callable[..., tuple[int, str]]:
    """Call the command in this process, without further ones unless the words say how many."""
    return lambda command, *words: call_command(command, *with_workers(words))


@pytest.fixture(scope="session")
def finished(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """The outcomes of a tiny run of all stages; not to be changed."""
    return run(tmp_path_factory.mktemp("finished"))


@pytest.fixture(scope="session")
def command() -> Command:
    """Run `wsss run` on the tiny pipeline in a process of its own."""

    def execute(work_dir: Path, *overrides: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command_line(work_dir, *overrides), capture_output=True, text=True, check=False
        )

    return execute


class Started:
    """A command in a fork of the process that `command_server.py` is: what `Popen` would be."""

    def __init__(self, ask: Callable[..., int | None], words: Sequence[str], output: Path) -> None:
        self.output = output
        self.pid = ask(start=words, said=str(output))
        self._ask, self._status = ask, None

    def poll(self) -> int | None:
        if self._status is None:
            self._status = self._ask(poll=self.pid)
        return self._status

    def wait(self) -> int:
        if self._status is None:
            self._status = self._ask(wait=self.pid)
        return self._status

    def kill(self) -> None:
        os.killpg(self.pid, signal.SIGKILL)
        self.wait()


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Started]]:
    """Start `wsss run` on the tiny pipeline in a process group of its own.

    A fork of a process that has imported everything: half of a tiny run would be imports.
    """
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("command_server.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    outputs = tmp_path_factory.mktemp("outputs")
    count = itertools.count()

    def ask(**request: object) -> int | None:
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        return json.loads(server.stdout.readline())

    def execute(work_dir: Path, *overrides: str) -> Started:
        return Started(ask, command_line(work_dir, *overrides), outputs / f"{next(count)}.txt")

    yield execute
    server.communicate()


@pytest.fixture(scope="session")
def second_of() -> Callable[[psutil.Process], psutil.Process]:
    """The process of rank 1 that a command has started."""

    def is_second(child: psutil.Process) -> bool:
        with suppress(psutil.Error):  # A process of a loader that has just ended.
            return child.name() == "rank 1" or child.environ().get("LOCAL_RANK") == "1"
        return False

    def second(command: psutil.Process) -> psutil.Process:
        (one,) = filter(is_second, command.children())
        return one

    return second


def command_line(work_dir: Path, *overrides: str) -> list[str]:
    wsss = Path(sys.executable).with_name("wsss")
    assert os.access(wsss, os.X_OK)
    return [str(wsss), "run", *TINY, f"work_dir={work_dir}", *with_workers(overrides)]


def with_workers(words: Sequence[str]) -> list[str]:
    said = any(word.startswith("workers=") for word in words)
    return [*words] if said else [*words, IN_THIS_PROCESS]


@pytest.fixture(scope="session")
def content() -> Callable[[Path], dict[str, bytes]]:
    """The bytes of every file below a folder, by relative path."""

    def read(folder: Path) -> dict[str, bytes]:
        files = (path for path in sorted(folder.rglob("*")) if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    return read


@pytest.fixture
def small_towers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let timm make image towers of CLIP as small as those of `small_clip`."""
    create = timm.create_model

    def created(name: str, **options: Any) -> Any:
        sizes = {"embed_dim": 32, "depth": 2, "num_heads": 2} if "clip" in name else {}
        return create(name, **{**sizes, **options})

    monkeypatch.setattr(timm, "create_model", created)
