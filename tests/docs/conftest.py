"""Commands and programs of the documentation, run on a small data set in an empty folder.

A block of commands is fenced as `bash`, a program as `python`. One that cannot run here begins with
a comment that says so: see `REASONS`. All blocks of a page run in one folder, in their order.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image

import wsss
from wsss.cli import main as cli
from wsss.errors import WsssError
from wsss.settings.compose import compose, setting_names

CHECKOUT = Path(cli.__file__).parents[2]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REASONS = (
    "needs a cluster", "needs a container", "needs a GPU", "needs a network", "needs finished runs",
    "takes minutes",
)  # fmt: skip
"""What the first line of a block that is not run says."""

TINY = {
    "classify.max_epochs": 1,
    "classify.batch_size": 4,
    "classify.crop_px": 64,
    "classify.augmentation.crop_px": 64,
    "classify.feature_scales.factors": [1.0],
    "classify.feature_windows": 1,
    "reactivate.max_epochs": 1,
    "reactivate.batch_size": 4,
    "reactivate.augmentation.crop_px": 64,
    "oppose.max_epochs": 1,
    "oppose.batch_size": 4,
    "localize.scales.factors": [1.0],
    "affinity.max_epochs": 1,
    "affinity.radius": 4,
    "affinity.augmentation.crop_px": 64,
    "affinity.labels.engine.num_iterations": 1,
    "propagate.num_steps": 4,
    "refine.method.engine.num_iterations": 1,
    "segmenter.decoder_channels": 16,
    "segmenter.trains_from": "blocks.6",
    "segment.max_epochs": 1,
    "segment.batch_size": 4,
    "segment.augmentation.crop_px": 64,
    "oracle_bound.max_epochs": 1,
    "evaluate.scales.factors": [1.0],
    "evaluate.crf.num_iterations": 1,
    "evaluate.gallery_images": 1,
    "data.num_train": 9,
    "data.num_val": 5,
    "data.size_px": 64,
}
"""Settings of a run that takes seconds, where it has them and the page says nothing else."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str

    @property
    def reason(self) -> str | None:
        """Why it is not run; None for one that is."""
        first = self.text.splitlines()[0] if self.text else ""
        return next((reason for reason in REASONS if first.startswith(f"# {reason}")), None)

    @property
    def commands(self) -> list[list[str]]:
        """Its commands, as words."""
        text = self.text.replace("\\\n", " ")
        lines = (shlex.split(line, comments=True) for line in text.splitlines())
        return [words for words in lines if words]


def blocks_of(page: str) -> list[Block]:
    text = (CHECKOUT / page).read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, *found.groups())
        for found in FENCE.finditer(text)
    ]


@pytest.fixture(scope="session")
def blocks() -> Callable[[str], list[Block]]:
    """The fenced blocks of a page."""
    return blocks_of


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images, weights and masks, as the pages speak of them."""
    here = tmp_path_factory.mktemp("reader")
    rng = np.random.default_rng(0)
    rows = ["image,labels"]
    for number in range(18):
        labels = ("dog", "cat", "dog|cat")[number % 3]
        picture = rng.integers(90, 150, (48, 64, 3), dtype=np.uint8)
        picture[8:40, 6:26] = (214, 40, 40) if "dog" in labels else (90, 90, 90)
        picture[8:40, 36:58] = (42, 157, 143) if "cat" in labels else (90, 90, 90)
        (here / "my_images" / "images").mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(here / "my_images" / "images" / f"{number:02}.png")
        rows.append(f"{number:02}.png,{labels}")
        if number < 3:
            Image.fromarray(picture).save(here / f"{('dog', 'cat', 'both')[number]}.jpg")
    (here / "my_images" / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    (own,) = (one for one in blocks_of("docs/own_method.md") if "class MyCAM" in one.text)
    (here / "my_module.py").write_text(own.text, encoding="utf-8")
    torch.save(timm.create_model("resnet18").state_dict(), here / "resnet18.pth")
    own_network = timm.create_model("resnet18", num_classes=2)
    torch.save(own_network.state_dict(), here / "my_classifier.pth")
    return here


@pytest.fixture(scope="session")
def template_after_a_run(template: Path) -> Path:
    """The folder after the run with which most pages begin."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(template)
        words = tiny(["data=folder", "data.root=my_images"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wsss.run(words)
    return template


@pytest.fixture
def folder(template_after_a_run: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    shutil.copytree(template_after_a_run, tmp_path, dirs_exist_ok=True, copy_function=copied)
    return tmp_path


def copied(file: str, to: str) -> None:
    """Copy a file, or link it: weights are large, and read only."""
    if file.endswith(".pth"):
        os.link(file, to)
    else:
        shutil.copy2(file, to)


@pytest.fixture
def run_page(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[str], None]]:
    """Run the blocks of a page that give no reason against it, in their order."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    run_pipeline = wsss.run
    monkeypatch.setattr(wsss, "run", lambda words: run_pipeline(tiny(words)))

    def run_page(page: str) -> None:
        for block in blocks_of(page):
            if block.language in ("bash", "python") and block.reason is None:
                run(block)

    def run(block: Block) -> None:
        if block.language == "python":
            with warnings.catch_warnings():
                exec(compile(block.text, f"{block.page}:{block.line}", "exec"), {})
            return
        for words in block.commands:
            program, *rest = written_out(words, folder)
            assert program == "wsss", f"{block.page}:{block.line}: {' '.join(words)}"
            if rest[0] in ("run", "check"):
                rest = [rest[0], *tiny(rest[1:])]
            monkeypatch.setattr(sys, "argv", ["wsss", *rest])
            status: object = 0
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
                try:
                    cli.main()
                except SystemExit as left:
                    status = left.code
            said = capsys.readouterr()
            where = f"{block.page}, line {block.line}: {' '.join(words)}"
            assert not status, f"{where}\n{said.out}\n{said.err}"

    yield run_page
    sys.modules.pop("my_module", None)


@pytest.fixture
def run_in_a_shell(folder: Path) -> Callable[[Block], None]:
    """Run a block as a reader would, in processes: `make` in the checkout, else in the folder."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

    def run(block: Block) -> None:
        for words in block.commands:
            program, *rest = written_out(words, folder)
            if program == "wsss" and rest[0] in ("run", "check"):
                rest = [rest[0], *tiny(rest[1:])]
            where = CHECKOUT if program == "make" else folder
            done = subprocess.run(
                [program, *rest],
                cwd=where,
                env={**os.environ, "PATH": path},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"

    return run


def written_out(words: list[str], folder: Path) -> list[str]:
    """Words with `<fingerprint>` and `*` written out, as a reader and a shell would."""
    found: list[str] = []
    for word in words:
        key, sign, value = word.rpartition("=")
        if "<fingerprint>" in value:
            stage, _, inside = value.partition("<fingerprint>")
            finished = sorted(folder.glob(f"{stage}*/manifest.json"))
            assert finished, f"{word}: no such stage has run"
            found.append(f"{key}{sign}{finished[0].parent.relative_to(folder)}{inside}")
        elif "*" in word and not sign:
            matches = sorted(str(one.relative_to(folder)) for one in folder.glob(word))
            found += matches or [word]
        else:
            found.append(word)
    return found


def tiny(words: list[str]) -> list[str]:
    """Words of a run, with settings before them that make it take seconds."""
    options = [word for word in words if word.startswith("-")]
    if {"--help", "--cfg", "--version"} & {*options}:
        return words
    settings = [word for word in words if not word.startswith("-")]
    plain = [re.sub(r"^([\w./]+=[^\[,{]+?),.*$", r"\1", word) for word in settings]
    try:
        known = {*setting_names(compose("run", plain, complete=False))}
    except WsssError:
        known = set()
    said = {word.lstrip("+").partition("=")[0] for word in words}
    small = [
        f"{key}={value}".replace(" ", "")
        for key, value in TINY.items()
        if key in known and key not in said
    ]
    workers = [] if "workers" in said else ["workers=0"]
    return [*options, *small, *workers, *settings]
