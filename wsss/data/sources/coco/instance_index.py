"""What was read of a file of instances, kept from one run to the next."""

import json
from pathlib import Path

import numpy as np

from wsss.artifacts import atomic, fingerprint
from wsss.data.sources.coco.instances import Instances, read_instances
from wsss.data.sources.coco.kept_bytes import KeptBytes
from wsss.data.sources.file_digests import is_settled, state_of
from wsss.data.texts import Texts

VERSION = 1
"""Of what is kept."""
_TEXT = "text"


def indexed_instances(path: Path, folder: Path | None = None) -> Instances:
    """The instances of a file, from a folder if it knows them.

    The folder's file is named after the path, the size, and the times of the last change of content
    and of attributes: what it holds never changes.

    Args:
        path: of COCO's JSON.
        folder: where to keep them; None keeps nothing.

    Raises:
        WsssError: the file is none of instances.
    """
    state = state_of(path)
    if folder is None or state is None or not is_settled(state):
        return read_instances(path)
    kept = folder / f"{fingerprint([VERSION, str(path), state])}.safetensors"
    if kept.is_file():
        try:
            return _loaded(kept)
        except Exception:  # An index is no result: it is made again, whatever is wrong with it.
            kept.unlink(missing_ok=True)
    _save(read_instances(path), kept)
    return _loaded(kept)


def _save(found: Instances, path: Path) -> None:
    from safetensors.numpy import save

    characters, character_starts = found.files.arrays()
    words = {"categories": [*found.categories.items()], "digest": found.digest}
    arrays = {
        _TEXT: np.frombuffer(found.text[:], dtype=np.uint8),
        "text_starts": found.text_starts,
        "characters": characters,
        "character_starts": character_starts,
        "sides": found.sides,
        "labels": found.labels,
        "label_starts": found.label_starts,
    }
    with atomic(path) as temporary:  # `save_file` restricts read permissions.
        temporary.write_bytes(save(arrays, {"words": json.dumps(words)}))


def _loaded(path: Path) -> Instances:
    """What a file holds, but the text, which stays there."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as content:
        words = json.loads(content.metadata()["words"])
        return Instances(
            dict(words["categories"]),
            Texts.from_arrays(
                content.get_tensor("characters"), content.get_tensor("character_starts")
            ),
            content.get_tensor("sides"),
            content.get_tensor("labels"),
            content.get_tensor("label_starts"),
            KeptBytes(path, _TEXT),
            content.get_tensor("text_starts"),
            words["digest"],
        )
