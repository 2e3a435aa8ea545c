"""A finished run, to be broken in one place; what it left, and what a command said."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from wsss.artifacts import MANIFEST
from wsss.artifacts.checksums import CHECKSUMS
from wsss.stages import CHAIN

VARYING = {MANIFEST, CHECKSUMS}
"""Files that tell times."""
LOGS = {"checkpoints", "curves"}
ENDED = "Finished stages, images and epochs are kept; the same command goes on from there."


@pytest.fixture(scope="session")
def results(content: Callable[[Path], dict[str, bytes]]) -> Callable[..., dict[str, bytes]]:
    """The bytes that finished stages have left in a work folder, by relative path.

    Without times, logs, and the page that shows them.
    """

    def read(work_dir: Path, *stages: str) -> dict[str, bytes]:
        found = {}
        for stage in stages or [one for one in CHAIN if one != "report"]:
            for manifest in work_dir.glob(f"{stage}/*/{MANIFEST}"):
                folder = manifest.parent
                found |= {
                    f"{folder.relative_to(work_dir)}/{name}": one
                    for name, one in content(folder).items()
                    if name not in VARYING and name.split("/")[0] not in LOGS
                }
        return found

    return read


@pytest.fixture(scope="session")
def kept(content: Callable[[Path], dict[str, bytes]]) -> Callable[[Path], dict[Path, bytes]]:
    """Every byte of the stages that have finished in a work folder, manifests included."""

    def read(work_dir: Path) -> dict[Path, bytes]:
        folders = [one.parent for one in work_dir.glob(f"*/*/{MANIFEST}")]
        return {folder / name: one for folder in folders for name, one in content(folder).items()}

    return read


@pytest.fixture(scope="session")
def said() -> Callable[..., str]:
    """What a command has said without spaces and frames: `said(process)`, or of a text."""

    def read(thing: object) -> str:
        text = thing if isinstance(thing, str) else thing.output.read_text(encoding="utf-8")
        return "".join(text.replace("│", "").split())

    return read


@pytest.fixture(scope="session")
def told_once(said: Callable[..., str]) -> Callable[..., None]:
    """Assert that a command ended with one message that has all the words, and no traceback."""

    def check(process: object, *words: str, status: int = 1) -> None:
        assert process.wait() == status, process.output.read_text(encoding="utf-8")
        text = said(process)
        for noise in ("Traceback", "Logging error", "Exception in thread"):
            assert said(noise) not in text
        message = said("wsss cannot go on") if status == 1 else said(ENDED)
        assert text.count(message) == 1
        for word in words:
            assert said(word) in text

    return check


@pytest.fixture(scope="session")
def of_affinity(tiny_methods: dict[str, Sequence[str]]) -> Sequence[str]:
    """Settings of a run that has artefacts of every kind."""
    return tiny_methods["affinity"]


@pytest.fixture(scope="session")
def whole(
    start: Callable[..., object],
    of_affinity: Sequence[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The work folder of a run that nobody disturbs, of every kind of artefact; not to change."""
    work_dir = tmp_path_factory.mktemp("whole")
    process = start(work_dir, *of_affinity)
    assert process.wait() == 0, process.output.read_text(encoding="utf-8")
    return work_dir


@pytest.fixture(scope="session")
def copied() -> Callable[..., Path]:
    """Copy stages of a work folder: `copied(whole, to, until="refine")`, or all but `without`."""

    def copy(whole: Path, to: Path, until: str | None = None, without: Sequence[str] = ()) -> Path:
        chain = CHAIN if until is None else CHAIN[: CHAIN.index(until)]
        for stage in ("check", *chain):
            if (whole / stage).is_dir() and stage not in without:
                shutil.copytree(whole / stage, to / stage, dirs_exist_ok=True)
        return to

    return copy


@pytest.fixture(scope="session")
def flip() -> Callable[[Path], Path]:
    """Flip a bit in the middle of a file."""

    def change(path: Path) -> Path:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        return path

    return change


@pytest.fixture(scope="session")
def loader_of() -> Callable[[object], psutil.Process]:
    """Stop a command as soon as it has a process of a loader, and give that."""

    def find(process: object) -> psutil.Process:
        command = psutil.Process(process.pid)
        while True:
            assert process.poll() is None, process.output.read_text(encoding="utf-8")
            loaders = [one for one in command.children() if one.name() == "pt_data_worker"]
            if loaders:
                command.suspend()
                return loaders[0]

    return find


class Disk:
    """A small file system in memory, seen by this process and by commands that it starts.

    Of the super-user it is a mount like any other. Others mount it in a namespace of a process that
    sleeps, and enter that: what is in it is then found below `/proc`.
    """

    def __init__(self, folder: Path, start: Callable[..., object]) -> None:
        self._start = start
        self._holder = None
        self._enter: list[str] = []
        self.work_dir = self.path = folder
        folder.mkdir()
        if os.geteuid() != 0:
            holding = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
            self._holder = subprocess.Popen(
                [*holding, "echo ready; exec cat"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
            if (answer := self._holder.stdout.readline().strip()) != "ready":
                pytest.skip(f"only the super-user can mount a file system here: {answer}")
            target = str(self._holder.pid)
            self._enter = ["nsenter", "--target", target, "--user", "--mount"]
            self._enter += ["--preserve-credentials"]
            self.path = Path("/proc", target, "root", *folder.parts[1:])
        self.mount("-t", "tmpfs", "-o", "size=128m", "tmpfs", folder)

    def mount(self, *words: object) -> None:
        """Call `mount` where commands see the disk."""
        command = [*self._enter, "mount", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")

    def leave_room(self, kib: int | None = None) -> None:
        """Fill it, so that so much more fits; None: empty it again."""
        ballast = self.path / "ballast"
        ballast.unlink(missing_ok=True)
        if kib is not None:
            found = os.statvfs(self.path)
            with ballast.open("wb") as stream:
                free = found.f_bavail * found.f_frsize
                os.posix_fallocate(stream.fileno(), 0, free - 1024 * kib)

    def read_only(self, stage: str) -> None:
        """Let nothing be written to the folder of a stage."""
        (self.path / stage).mkdir(exist_ok=True)
        self.mount("--bind", self.work_dir / stage, self.work_dir / stage)
        self.mount("-o", "remount,bind,ro", self.work_dir / stage)

    def writable(self, stage: str) -> None:
        """Let the folder of a stage be written to again."""
        subprocess.run([*self._enter, "umount", self.work_dir / stage], check=True)

    def start(self, *words: str) -> object:
        """Start a run whose work folder is the disk."""
        more = {"enter": self._enter} if self._enter else {}
        return self._start(self.work_dir, *words, **more)

    def close(self) -> None:
        """Leave nothing behind."""
        if self._holder is None:
            subprocess.run(["umount", "--lazy", self.work_dir], check=False)
        else:
            self._holder.communicate()


@pytest.fixture
def disk(
    start: Callable[..., object], start_anew: Callable[..., object], tmp_path: Path
) -> Iterator[Disk]:
    """A file system in memory."""
    if sys.platform != "linux":
        pytest.skip("file systems in memory are mounted on Linux alone")
    one = Disk(tmp_path / "disk", start if os.geteuid() == 0 else start_anew)
    yield one
    one.close()


@pytest.fixture(scope="session")
def start_anew(
    tiny_words: Sequence[str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., object]:
    """Start a run in a process that imports everything itself, in an environment of its own."""
    wsss = str(Path(sys.executable).with_name("wsss"))

    def execute(
        work_dir: Path, *words: str, enter: Sequence[str] = (), **environment: str
    ) -> object:
        output = tmp_path_factory.mktemp("output") / "said.txt"
        own = [*tiny_words, f"work_dir={work_dir}", "workers=0", *words]
        with output.open("w") as stream:
            process = subprocess.Popen(
                [*enter, wsss, "run", *own],
                stdout=stream,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **environment},
            )
        process.output = output
        return process

    return execute
