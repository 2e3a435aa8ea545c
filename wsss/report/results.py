"""The data of a report."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wsss.artifacts import Manifest
from wsss.report.bound import BOUNDS, WeakOverBound, weak_over_bound
from wsss.report.panels import Panel
from wsss.report.read_scores import Scores
from wsss.report.training_curves import Curve

SHORT_ROW = 3
"""Rows of at most this many panels take half of a desktop's width."""


@dataclass(frozen=True, slots=True)
class GalleryRow:
    """One image of the gallery."""

    item_id: str
    tags: tuple[str, ...]
    score: float | None
    """Mean IoU of its mask over the classes present in it; None without ground truth."""
    panels: tuple[Panel, ...]
    present: frozenset[int]
    """Labels that occur in its masks."""


@dataclass(frozen=True, slots=True)
class GalleryGroup:
    """A group of the gallery: images of a split."""

    split: str
    name: str
    """`best`, `median`, `worst`, or `sample` where nothing could be scored."""
    rows: tuple[GalleryRow, ...]

    @property
    def is_short(self) -> bool:
        """Whether two rows fit side by side on a desktop."""
        return all(len(row.panels) <= SHORT_ROW for row in self.rows)


@dataclass(frozen=True, slots=True)
class Results:
    """Results of the finished stages; empty for stages that did not run."""

    data_set: str
    class_names: tuple[str, ...]
    manifests: Mapping[str, Manifest] = field(default_factory=dict)
    """Manifest of each finished stage, in the order of the chain."""
    scores: Scores = field(default_factory=Scores)
    curves: Mapping[str, tuple[Curve, ...]] = field(default_factory=dict)
    """Training curves by stage."""
    gallery: tuple[GalleryGroup, ...] = ()
    without_class: Mapping[str, int] = field(default_factory=dict)
    """Images by split that show no class, which the gallery leaves out."""
    panel_height_px: int = 160
    """Height at which the gallery's pictures are shown."""

    @property
    def has_bound(self) -> bool:
        """Whether the segmenter was trained on true masks as well."""
        return any(stage in BOUNDS for stage in self.manifests)

    @property
    def weak_over_bound(self) -> tuple[WeakOverBound, ...]:
        """How near the segmenter comes to the bound (oracle)."""
        return weak_over_bound({stage: one.numbers for stage, one in self.manifests.items()})

    def label(self, subject: str) -> str:
        """What a subject is called, by its name."""
        found = self.scores.get(subject)
        return subject if found is None else found.label

    def class_name(self, label: int) -> str:
        """Name of a mask value."""
        names = ("background", *self.class_names)
        return names[label] if label < len(names) else f"label {label}"
