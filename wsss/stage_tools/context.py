"""The argument of every stage: data, folders, processes."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from wsss.data.item_table import select
from wsss.data.sample import Item
from wsss.data.source import Source
from wsss.stage_tools.measured import Measured

# The CPU processes of a stage import this module, and should not spend seconds on torch.
if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from pytorch_lightning.loggers import Logger

T = TypeVar("T")


def _one_process() -> Fabric:
    """A single process on the CPU, as in a notebook."""
    from lightning_fabric import Fabric

    return Fabric(accelerator="cpu", devices=1)


@dataclass(slots=True)
class Context:
    """Data, folders and processes of a stage; its settings come beside it, as keywords."""

    source: Source
    folder: Path
    """The stage's own folder, the only one it writes to."""
    inputs: Mapping[str, Path] = field(default_factory=dict)
    """Folders of the finished stages before it, by their names."""
    fabric: Fabric = field(default_factory=_one_process)
    """The launched processes: rank, number of ranks, device, barrier."""
    trainer: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of every `pytorch_lightning.Trainer` of the run: devices, precision, …"""
    loggers: list[Logger] = field(default_factory=list)
    """Where training curves go besides the CSV file in the stage's folder."""
    seed: int = 0
    workers: int = 2
    """Processes for loading images and for the CRF; 0 computes everything in this process."""
    workers_as_needed: bool = False
    """Whether a training on a CPU starts them only if it finds that they pay."""
    keep_images_mib: int = 1024
    """How much of decoded images a training keeps in memory, in all its loader's processes."""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings of all stages of this run by name, for checks before anything is computed."""
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Height and width of each image by id, as the data check measured them."""
    masked: Container[str] | None = None
    """Ids of images that have ground truth, as the data check found; None where none was made."""
    unusable: frozenset[str] = frozenset()
    """Ids that the data check found unreadable."""
    max_failed_fraction: float = 0.01
    """A stage fails when more than this fraction of its items cannot be processed."""
    measured: Measured = field(default_factory=Measured)
    """What the stage waits for; written to its manifest."""
    application: str = ""
    """What computes in place of a stage."""

    @property
    def stage(self) -> str:
        """The stage's name, which its folder `<stage>/<fingerprint>` tells, or the application."""
        return self.application or self.folder.parent.name

    @property
    def is_main(self) -> bool:
        """Whether this process is rank 0, which shows progress and closes manifests."""
        return self.fabric.global_rank == 0

    def share(self, things: Sequence[T]) -> Sequence[T]:
        """This rank's share of `things`: every world-size-th, without padding."""
        return things[self.fabric.global_rank :: self.fabric.world_size]

    def size(self, item: Item) -> tuple[int, int]:
        """Height and width of an image; read from the file where no check measured it."""
        if item.id in self.sizes:
            return self.sizes[item.id]
        height, width, _ = self.source.read_image(item).shape
        return height, width

    def items(self, split: str) -> Sequence[Item]:
        """The usable items of a split."""
        items = self.source.items(split)
        if not self.unusable:
            return items
        return select(items, lambda item: item.id not in self.unusable)
