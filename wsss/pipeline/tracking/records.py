"""What is told of a run, whichever tracker takes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

Cell = str | float | None
Picture = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Confusion:
    """The confusion matrix of one kind of masks."""

    labels: tuple[str, ...]
    """Names of the C+1 labels, background first."""
    counts: Int64[np.ndarray, "c1 c2"]
    """Pixels by true label (row) and predicted one; the last column counts those without."""


@dataclass(frozen=True, slots=True)
class Artefact:
    """What a stage made, or the data: a reference, no copy."""

    kind: str
    """train_data, classifier, seeds, …"""
    stage: str
    """Empty for the data."""
    fingerprint: str
    uri: str
    """Where it is; empty where it is drawn, not stored."""
    made_of: tuple[str, ...] = ()
    """Names of the artefacts that it was computed from."""
    facts: Mapping[str, Cell] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its kind and fingerprint, the same in every run that uses it."""
        return f"{self.kind}-{self.fingerprint}"


@dataclass(frozen=True, slots=True)
class StageRecord:
    """All that is told of a finished stage."""

    stage: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    """By their names; what masks have chosen is below `oracle/`."""
    tables: Mapping[str, Table] = field(default_factory=dict)
    confusions: Mapping[str, Confusion] = field(default_factory=dict)
    pictures: Mapping[str, Mapping[str, Picture]] = field(default_factory=dict)
    """By group, and by image."""
    artefacts: Sequence[Artefact] = ()


def file_uri(path: Path) -> str:
    """The address of a file or folder."""
    return path.absolute().as_uri()
