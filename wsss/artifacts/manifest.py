"""The record of a finished stage."""

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from wsss.artifacts.checksums import write_checksums
from wsss.artifacts.json_files import json_bytes, read_json, write_json

MANIFEST = "manifest.json"
METRICS = "metrics.json"
INPUTS = "inputs.json"
"""Fingerprints of the stages that a stage is computed from, by name; also before it finishes."""
SAW_MASKS = "saw_masks"
"""In the basis of a stage that uses weights which were trained with masks, and of all after it."""
MARK = " (saw masks)"
"""Stands behind the name of what came of such weights, wherever it is shown."""


@dataclass(slots=True)
class Manifest:
    """The record of a finished stage: written last, by rank 0, after all items exist."""

    stage: str
    fingerprint: str
    config: dict[str, Any]
    """The stage's resolved settings, including those without influence on results."""
    numbers: dict[str, Any]
    """The stage's return value."""
    basis: dict[str, Any] = field(default_factory=dict)
    """Content of the fingerprint: settings, data, earlier stages, weights, seed."""
    failures: dict[str, str] = field(default_factory=dict)
    """Items that could not be processed, with the reason."""
    wall_time_s: float = 0.0
    waits_s: dict[str, float] = field(default_factory=dict)
    """What the main thread of rank 0 waited for: images, network, dense CRF, CPU processes."""
    slowest: str = ""
    """The longest of these waits; empty where none was measured."""
    devices: list[str] = field(default_factory=list)
    """What the stage was computed on, each attempt's once: `cpu`, or the name of a card. Results of
    different ones differ by rounding."""
    nondeterministic: list[str] = field(default_factory=list)
    """Operations whose bytes are others each time on this device, as torch names them."""
    halvings: int = 0
    """How often rank 0 split a batch, in the last attempt, since memory did not suffice.

    Where nothing learns, that changes results by rounding; in training, batch norm and the mean
    over labelled pixels are those of the parts.
    """
    schedule: dict[str, Any] = field(default_factory=dict)
    """Of a training: images a step, over all processes; processes; parts a batch is computed in;
    learning rates of the groups of weights at the first step; steps in all."""
    peak_memory_mb: float = 0.0
    peak_gpu_memory_mb: float = 0.0
    gpu_utilisation: float | None = None
    """Mean over the stage, in [0, 1]; None without a GPU, or where its driver does not tell."""
    commit: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    finished_at: str = ""

    @property
    def is_given(self) -> bool:
        """Whether the results are files of the user's own, taken in place of computed ones."""
        return "given" in self.basis

    @property
    def saw_masks(self) -> bool:
        """Whether weights that were trained with masks, of other images, had a part in it."""
        return bool(self.basis.get(SAW_MASKS))

    @property
    def mark(self) -> str:
        """What stands behind the name of its results: `MARK` or nothing."""
        return MARK * self.saw_masks

    def write(self, folder: Path) -> None:
        """Write the manifest into a stage's folder."""
        write_json(folder / MANIFEST, asdict(self))

    def seal(self, folder: Path) -> None:
        """Write the checksums of all files of a stage, and then the manifest: it has finished."""
        write_checksums(folder, manifest=json_bytes(asdict(self)))
        self.write(folder)

    @classmethod
    def read(cls, folder: Path) -> "Manifest | None":
        """The manifest of a finished stage; None where the stage has not finished."""
        path = folder / MANIFEST
        if not path.is_file():
            return None
        known = {one.name for one in fields(cls)}  # Another version may have had other fields.
        return cls(**{name: value for name, value in read_json(path).items() if name in known})


def mark_of(folder: Path) -> str:
    """`MARK` where a folder's results came of weights that saw masks, else nothing.

    Args:
        folder: of a finished stage, or one in it, such as its `masks`.
    """
    read = (Manifest.read(place) for place in (folder, folder.parent))
    return next((one.mark for one in read if one is not None), "")
