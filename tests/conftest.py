"""Fixtures that build small data sets on disk, and find problems by what they say."""

import gc
import logging
import signal
import socket
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from wsss.auditing.finding import KINDS, Audit, CheckResult, Finding, write_audit
from wsss.cli.main import main
from wsss.data.sample import safe_file_stem
from wsss.errors import Problem, Severity

FolderWriter = Callable[..., Path]
ProblemFinder = Callable[..., Problem]

COLORS = ((214, 40, 40), (42, 157, 143), (233, 196, 106), (69, 90, 200), (150, 80, 160))
"""What objects of the classes 1…C are painted in, repeating."""

PETS: dict[str, tuple[str, ...]] = {
    f"{name}_{number}.jpg": labels
    for number in range(3)
    for name, labels in (("cat", ("cat",)), ("dog", ("dog",)), ("both", ("cat", "dog")))
}
"""Nine images of two classes, by file name."""


def pytest_configure() -> None:
    """Hear Ctrl-C as in a terminal: a shell's `&` has it ignored, here and in what tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with long files, those of slow tests and then of many, so that workers end together."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    all_ = Counter(item.path for item in items)
    items.sort(key=lambda item: (-slow[item.path], -all_[item.path]))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Look through what was imported for garbage no more, which takes a twentieth of the time."""
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Some libraries complain of objects that are left at the end."""
    gc.unfreeze()


def paint(labels: Sequence[int], height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """An image uint8 [h, w, 3] with a coloured block for each label, and its mask uint8 [h, w]."""
    rng = np.random.default_rng([height, width, *labels])
    image = rng.integers(90, 150, (height, width, 3), dtype=np.uint8)
    mask = np.zeros((height, width), dtype=np.uint8)
    for position, label in enumerate(labels):
        left, right = (width * (3 * position + step) // (3 * len(labels)) for step in (1, 2))
        mask[height // 4 : 3 * height // 4, left : max(right, left + 1)] = label
    for label in labels:
        image[mask == label] = COLORS[(label - 1) % len(COLORS)]
    return image, mask


@pytest.fixture(autouse=True)
def _logs_closed() -> Iterator[None]:
    """Close the logs of commands, which Hydra leaves open."""
    yield
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, logging.FileHandler)]:
        root.removeHandler(handler)
        handler.close()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which commands are given."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def write_folder(tmp_path: Path) -> FolderWriter:
    """Build a data set for `data=folder` and return its root.

    Every part can be left out (None) or given as text, to be wrong on purpose.
    """

    def write(
        images: Mapping[str, Sequence[str]] = PETS,
        *,
        labels_csv: str | None = "",
        classes: Sequence[str] | None = None,
        masks: bool = False,
        splits: Mapping[str, Iterable[str]] | None = None,
        size: tuple[int, int] = (24, 32),
        root: str = "pets",
    ) -> Path:
        """Write it.

        Args:
            images: labels of each image by file name in images/.
            labels_csv: text of the table; written from `images` if empty, left out if None.
            classes: lines of classes.txt.
            masks: whether to write the ground truth.
            splits: ids of each list by its name.
            size: height and width of the images in pixels.
            root: name of the folder.
        """
        folder = tmp_path / root
        (folder / "images").mkdir(parents=True)
        names = sorted({label for labels in images.values() for label in labels})
        for file, labels in images.items():
            image, mask = paint([names.index(label) + 1 for label in labels], *size)
            save(folder / "images" / file, Image.fromarray(image))
            if masks:
                save((folder / "masks" / file).with_suffix(".png"), Image.fromarray(mask))
        rows = [f"{file},{'|'.join(labels)}" for file, labels in images.items()]
        if labels_csv is not None:
            text = labels_csv or "\n".join(["image,labels", *rows])
            (folder / "labels.csv").write_text(text, encoding="utf-8")
        if classes is not None:
            (folder / "classes.txt").write_text("\n".join(classes), encoding="utf-8")
        for name, ids in (splits or {}).items():
            (folder / "splits").mkdir(exist_ok=True)
            (folder / "splits" / f"{name}.txt").write_text("\n".join(ids), encoding="utf-8")
        return folder

    return write


@pytest.fixture
def write_audit_folder(tmp_path: Path) -> Callable[..., Path]:
    """Write an audit made by hand: findings of any kind, and maps; gives its folder."""

    def write(
        class_names: Sequence[str],
        findings: Sequence[Finding],
        maps: Mapping[str, Mapping[int, float]] | None = None,
        left_out: Mapping[str, str] | None = None,
    ) -> Path:
        """Write it.

        Args:
            class_names: of the data set.
            findings: of any kind; best first in each.
            maps: by image, the value of the left half of each class's map, by its place from 0.
            left_out: images that could not be examined.
        """
        folder = tmp_path / "audit"
        checks = {
            kind: CheckResult(99, f"Rule of {kind}.", [one for one in findings if one.kind == kind])
            for kind in KINDS
        }
        splits = {"train": 8, "val": 2}
        write_audit(folder, Audit([*class_names], splits, checks, {}, left_out or {}))
        (folder / "evidence").mkdir()
        for image, values in (maps or {}).items():
            stack = np.zeros((len(values), 4, 6), dtype=np.float16)
            stack[:, :, :3] = np.array([*values.values()])[:, None, None]
            path = folder / "evidence" / f"{safe_file_stem(image)}.npz"
            np.savez(path, maps=stack, classes=np.array([*values], dtype=np.int64))
        return folder

    return write


@pytest.fixture
def largest_tensor() -> Callable[[Callable[[], object]], int]:
    """Call something, and count the elements of the largest tensor that an operation made."""

    class Watch(TorchDispatchMode):
        largest = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            result = func(*args, **(kwargs or {}))
            for one in result if isinstance(result, tuple | list) else (result,):
                if isinstance(one, torch.Tensor):
                    self.largest = max(self.largest, one.untyped_storage().nbytes() // one.itemsize)
            return result

    def measure(call: Callable[[], object]) -> int:
        with Watch() as watch:
            call()
        return watch.largest

    return measure


@pytest.fixture(scope="session")
def state_of() -> Callable[[nn.Module], object]:
    """All that a network is, and torch's random state, as something that can be compared."""

    def hooks(module: nn.Module) -> list[list[object]]:
        own = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
        return [list(getattr(module, name).values()) for name in own]

    def plain(tensor: torch.Tensor | None) -> object:
        if tensor is None:
            return None
        content = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        return str(tensor.device), tensor.dtype, tuple(tensor.shape), content

    def state(network: nn.Module) -> object:
        return [
            [
                (name, plain(p), p.requires_grad, plain(p.grad))
                for name, p in network.named_parameters()
            ],
            [(name, plain(buffer)) for name, buffer in network.named_buffers()],
            [(name, m.training, hooks(m)) for name, m in network.named_modules()],
            torch.get_rng_state().tolist(),
        ]

    return state


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Let no host have an address, and hubs empty caches; gives the hosts that are asked for."""
    asked: list[str] = []
    find = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **options: Any) -> Any:
        if host in {"localhost", "127.0.0.1"}:
            return find(host, *args, **options)
        asked.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return asked


@pytest.fixture(
    scope="session",
    params=[
        "cpu",
        pytest.param(
            "cuda",
            marks=[
                pytest.mark.gpu,
                pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
            ],
        ),
    ],
)
def device(request: pytest.FixtureRequest) -> torch.device:
    """Where a test computes: on the CPU, and on a GPU if there is one."""
    return torch.device(request.param)


@pytest.fixture(autouse=True)
def exact_on_a_gpu(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let a GPU repeat its convolutions, and not cut single precision, in tests with a `device`.

    TF32 rounds factors to 10 bits; torch allows it in convolutions unless it is told otherwise.
    """
    if "device" not in request.fixturenames:
        yield
        return
    matmul = torch.backends.cuda.matmul
    before = matmul.allow_tf32
    matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        ):
            yield
    finally:
        matmul.allow_tf32 = before


def save(path: Path, picture: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


@pytest.fixture
def find_problem() -> ProblemFinder:
    """Find the one problem whose text has all the words, and assert its severity."""

    def find(problems: Iterable[Problem], severity: Severity, *words: str) -> Problem:
        everything = list(problems)
        found = [p for p in everything if all(word in str(p) for word in words)]
        assert len(found) == 1, "\n".join([f"{len(found)} with {words} in:", *map(str, everything)])
        assert found[0].severity == severity
        return found[0]

    return find


@pytest.fixture
def call_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Call `wsss` in this process: its exit status, and all it said, on one line."""

    def call(*words: object) -> tuple[int, str]:
        monkeypatch.setenv("COLUMNS", "400")
        monkeypatch.setattr(sys, "argv", ["wsss", *map(str, words)])
        status = 0
        with warnings.catch_warnings():
            try:
                main()
            except SystemExit as left:
                status = int(left.code or 0)
        streams = capsys.readouterr()
        return status, " ".join((streams.out + streams.err).split())

    return call
