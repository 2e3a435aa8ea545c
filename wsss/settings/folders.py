"""Folders that settings name, made before anything is written there."""

import os
from pathlib import Path

from wsss.errors import user_error


def make_folder(setting: str, folder: str) -> None:
    """Make the folder of a setting, unless it is there.

    Raises:
        WsssError: it cannot be made, or nothing can be written there.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        reason = None if os.access(folder, os.W_OK | os.X_OK) else "you may not write there"
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
