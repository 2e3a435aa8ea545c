"""Seeds in the files of IRN's code and its followers.

Ahn et al., "Weakly Supervised Learning of Instance Segmentation with Inter-pixel Relations", CVPR
2019: `step/make_cam.py`, whose files ReCAM, AdvCAM, LPCAM and others read, too.
"""

import copyreg
import pickle
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from wsss.artifacts import Seeds, SeedStore, atomic
from wsss.cams.core.postprocess import resize
from wsss.stage_tools.progress import track


def irn_dictionary(seeds: Seeds) -> dict[str, Any]:
    """Seeds as IRN's dictionary.

    Returns:
        `keys`: class indices 0…C - 1, an int64 tensor [n]; `cam`: maps at a quarter of the size, a
        float32 tensor [n, h, w]; `high_res`: maps at the image's size, a float32 array [n, H, W].
        All maps are in [0, 1].
    """
    maps = torch.from_numpy(seeds.maps.astype(np.float32))
    large = resize(maps[None], seeds.size)[0] if len(maps) else maps.new_zeros(0, *seeds.size)
    keys = torch.from_numpy(seeds.labels.astype(np.int64) - 1)
    return {"keys": keys, "cam": maps, "high_res": large.numpy()}


def export_seeds(seeds: Path, folder: Path, visible: bool) -> int:
    """Write `<image>.npy` for every file of seeds; gives their number.

    Such a file is a pickle, as IRN's own; `wsss.artifacts.plain_pickles` reads it without running
    anything in it.

    Args:
        seeds: folder of a `SeedStore`.
        folder: of the files.
        visible: whether to show a progress bar.
    """
    store, files = SeedStore(seeds), sorted(seeds.glob(f"*{SeedStore.suffix}"))
    pending = [path for path in files if not _target(folder, path).is_file()]
    done = len(files) - len(pending)
    for path in track(pending, len(files), "seeds", done, visible=visible):
        content = np.array(irn_dictionary(store.read(_Stem(path.stem))), dtype=object)
        with atomic(_target(folder, path)) as temporary, temporary.open("wb") as stream:
            _save(stream, content)
    return len(files)


def _save(stream: BinaryIO, content: np.ndarray) -> None:
    """Write what `np.save` does, with the same bytes each time.

    On its own, torch writes a storage's address in memory into a pickle.
    """
    header = np.lib.format.header_data_from_array_1_0(content)
    np.lib.format.write_array_header_1_0(stream, header)
    pickler = pickle.Pickler(stream, protocol=4)
    pickler.dispatch_table = copyreg.dispatch_table.copy()
    pickler.dispatch_table[torch.storage.TypedStorage] = _reduced
    pickler.dump(content)


def _reduced(storage: torch.storage.TypedStorage) -> tuple[Any, ...]:
    """How a storage is pickled: in torch's present format, where torch's own way is the old one."""
    content = BytesIO()
    torch.save(storage, content)
    return torch.storage._load_from_bytes, (content.getvalue(),)


@dataclass(frozen=True, slots=True)
class _Stem:
    """The name of a file of seeds."""

    file_stem: str


def _target(folder: Path, seeds: Path) -> Path:
    return folder / f"{seeds.stem}.npy"
