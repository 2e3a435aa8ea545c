"""Checksums of a stage's files: what `b2sum` checks, and what readers compare."""

import shutil
import subprocess
from contextlib import suppress

import pytest

from wsss.artifacts import as_written, changed_files, read_json, write_checksums
from wsss.artifacts.checksums import CHECKSUMS
from wsss.files import DamagedFileError

NAMES = [
    "metrics.json",
    "a.txt",
    "seeds/a b.npz",
    "seeds/\u732b.npz",
    "seeds/z.npz",
    "counts/val/a.npz",
]


@pytest.fixture
def folder(tmp_path):
    """A stage's folder with its checksums, and with what has none."""
    for number, name in enumerate([*NAMES, "checkpoints/epoch=0001.ckpt", "features/a.npy"]):
        path = tmp_path / "localize" / "0123" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content {number}", encoding="utf-8")
    write_checksums(tmp_path / "localize" / "0123")
    return tmp_path / "localize" / "0123"


def spoil(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def read(path):
    with as_written(path):
        pass


@pytest.mark.skipif(shutil.which("b2sum") is None, reason="needs coreutils")
def test_another_program_checks_them(folder):
    command = ["b2sum", "--check", "--strict", CHECKSUMS]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(line.rpartition(": ")[0] for line in done.stdout.splitlines()) == sorted(NAMES)
    spoil(folder / "seeds" / "z.npz")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert "seeds/z.npz: FAILED" in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_a_file_with_other_bytes_is_named(folder, name):
    for one in NAMES:
        read(folder / one)
    spoil(folder / name)
    with pytest.raises(DamagedFileError, match="other bytes than those that were written") as told:
        read(folder / name)
    assert told.value.path == folder / name
    assert changed_files(folder) == [folder / name]


def test_what_has_no_checksum_is_read(folder):
    for name in ("checkpoints/epoch=0001.ckpt", "features/a.npy"):
        spoil(folder / name)
        read(folder / name)
    (folder / "seeds" / "later.npz").write_text("later", encoding="utf-8")
    read(folder / "seeds" / "later.npz")
    assert changed_files(folder) == []
    (folder / CHECKSUMS).unlink()
    spoil(folder / "metrics.json")
    read(folder / "metrics.json")
    assert changed_files(folder) == []


def test_each_of_many_is_found(tmp_path):
    """Names of all lengths, in another order than that of their numbers."""
    (tmp_path / "seeds").mkdir()
    paths = [tmp_path / "seeds" / f"{'x' * (number % 7)}{number * 37}" for number in range(300)]
    for path in paths:
        path.write_text(path.name, encoding="utf-8")
    write_checksums(tmp_path)
    for path in paths:
        read(path)
        spoil(path)
        with pytest.raises(DamagedFileError):
            read(path)
    assert sorted(changed_files(tmp_path)) == sorted(paths)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"\n\n", b"0123456789abcdef"])
def test_checksums_that_are_damaged_themselves_are_no_traceback(folder, content):
    (folder / CHECKSUMS).write_bytes(content)
    changed_files(folder)
    for name in NAMES:
        with suppress(DamagedFileError):  # Then it is computed anew, in vain.
            read(folder / name)


def test_json_of_a_finished_stage_is_compared(folder):
    path = folder / "metrics.json"
    path.write_text('{"miou": 0.5}', encoding="utf-8")
    write_checksums(folder)
    assert read_json(path) == {"miou": 0.5}
    path.write_text('{"miou": 0.7}', encoding="utf-8")
    with pytest.raises(DamagedFileError):
        read_json(path)
