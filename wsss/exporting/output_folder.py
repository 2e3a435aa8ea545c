"""The folder of an export: what is finished in it, and what an earlier one left."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsss.artifacts import file_digest, read_json, remove_unfinished, write_json
from wsss.errors import user_error
from wsss.files import DamagedFileError

RECORD = "export.json"
CARD = "README.md"
VOC, COCO, IRN = "voc", "coco", "irn"
EXAMPLE = "example.png"
NETWORKS = ("segmenter", "classifier")
ENDINGS = (".onnx", ".pt2", ".safetensors", ".json")
OWN = (CARD, EXAMPLE, VOC, COCO, IRN, *(f"{one}{end}" for one in NETWORKS for end in ENDINGS))
"""Everything that an export writes, besides its record."""


def begin(folder: Path, fingerprint: str) -> bool:
    """Prepare a folder; gives whether the same export is finished there.

    What an unfinished export of the same results has written stays; an earlier one of others is
    removed, and nothing that no export wrote.

    Args:
        folder: made if it is not there.
        fingerprint: of all that is exported.

    Raises:
        WsssError: the folder holds something else, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        record = _record(folder)
        if record.get("fingerprint") == fingerprint:
            remove_unfinished(folder)
            if record["finished"] and all((folder / name).is_file() for name in record["files"]):
                return True
        else:
            for name in OWN:
                path = folder / name
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        write_json(folder / RECORD, {"fingerprint": fingerprint, "finished": False})
    except OSError as error:
        raise user_error(
            error.filename or folder,
            f"it cannot be written ({error.strerror or type(error).__name__})",
            "a folder that is there or can be made, and room in it",
            "Choose another folder by `output=…`.",
        ) from error
    return False


def finish(folder: Path, fingerprint: str, described: Mapping[str, Any]) -> None:
    """Write the record, which tells that everything is there, with the digests of the files."""
    files = {
        path.name: {"bytes": path.stat().st_size, "blake2b": file_digest(path)}
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name in OWN
    }
    content = {"fingerprint": fingerprint, "finished": True, **described, "files": files}
    write_json(folder / RECORD, content)


def _record(folder: Path) -> dict[str, Any]:
    """The record of an earlier export; empty in an empty folder."""
    path = folder / RECORD
    try:
        if path.is_file():
            record: dict[str, Any] = read_json(path)
            if {"fingerprint", "finished"} <= {*record}:
                return record
    except (DamagedFileError, TypeError):
        pass
    if any(folder.iterdir()):
        raise user_error(
            folder, "a folder with files that `wsss export` did not write",
            "an empty folder, a new one, or one of an earlier export, which is replaced",
            "Choose another folder by `output=…`.",
        )  # fmt: skip
    return {}
