"""Folders that settings name, made before anything is written there."""

import os
from collections.abc import Sequence
from datetime import datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryFile

from wsss.errors import user_error
from wsss.files import on_disk

NOT_COUNTED = (
    "hydra/launcher", "hydra.launcher", "hydra.sweeper.n_trials", "hydra.sweeper.n_jobs",
    "work_dir", "workers", "keep_images_mib", "logger",
)  # fmt: skip
"""How settings begin that a search can go on without."""

LOG_BYTES = 2**16
"""More than the log of a run takes."""


def make_folder(setting: str, folder: str) -> None:
    """Make the folder of a setting, unless it is there.

    Raises:
        WsssError: it cannot be made, nothing can be written there, or the disk is full.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        reason = None if os.access(folder, os.W_OK | os.X_OK) else "you may not write there"
        if reason is None:
            _check_room(Path(folder))
    except FileExistsError:
        reason = "it is a file"
    except OSError as error:
        reason = str(error.strerror)
    if reason:
        raise user_error(
            f"{setting}={folder}",
            f"this folder cannot be used: {reason}",
            "a folder, or a place where one can be made",
            f"Choose another: `{setting}=…`.",
        )


def _check_room(folder: Path) -> None:
    """Try whether a log fits: Hydra, which writes it before a command begins, ends in a traceback.

    Raises:
        StorageError: it does not.
    """
    with on_disk(folder), TemporaryFile(dir=folder) as trial:
        trial.write(bytes(LOG_BYTES))
        trial.flush()


def new_log_folder(work_dir: str) -> Path:
    """Make a folder for a sweep's logs, named by the time, which no other sweep has.

    Two that start in one second would write into one.
    """
    started = f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    for number in count(1):
        folder = Path(work_dir).absolute() / "logs" / (started + f"-{number}" * (number > 1))
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        break
    return folder


def search_folder(work_dir: str, settings: Sequence[str], *, oracle: bool = False) -> Path:
    """The folder of a search, the same for the same words: a search that was killed goes on there.

    Words that do not change what a run computes, or how many there are, do not count. That of a
    search by ground truth says so.
    """
    from wsss.artifacts.digests import fingerprint  # Loads numpy.

    counted = sorted(one for one in settings if not one.startswith(NOT_COUNTED))
    name = fingerprint({"search": counted})
    return Path(work_dir).absolute() / "searches" / (f"oracle-{name}" if oracle else name)
