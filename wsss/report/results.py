"""The data of a report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wsss.artifacts import Manifest
from wsss.report.advice import Advice
from wsss.report.audit_findings import AuditFindings
from wsss.report.bound import BOUNDS, WeakOverBound, weak_over_bound
from wsss.report.co_occurrence import TagPair
from wsss.report.confusions import Counts
from wsss.report.object_sizes import SizeBin
from wsss.report.read_scores import Scores
from wsss.report.training_curves import Curve

PSEUDO_SHARE, TRUE_TRAIN_SHARE = "pseudo_masks", "true_train"
PREDICTED_SHARE, TRUE_VAL_SHARE = "prediction", "true_val"
"""Whose pixels a share counts: two of `train`, two of `val`."""


@dataclass(frozen=True, slots=True)
class DoubtfulImage:
    """An image and how much its results contradict each other."""

    split: str
    item_id: str
    doubt: float | None
    """In [0, 1]; None where no stage left anything to compare."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """By the names of `wsss.report.doubt.MEANINGS`."""
    score: float | None = None
    """Mean IoU of its mask over the labels present in it (oracle); None without ground truth."""


@dataclass(frozen=True, slots=True)
class Gallery:
    """The images of the gallery, with all that its script draws."""

    entries: Sequence[Mapping[str, Any]] = ()
    """As `wsss.report.layers.encode_layers` makes them, with id, split, tags and numbers."""
    images: int = 0
    """Of all splits: more than there are entries where the page shows a sample."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """The fixed background threshold of each kind of maps."""


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
    confusions: Mapping[str, Counts] = field(default_factory=dict)
    """Pixels by true and predicted label, of each subject."""
    shares: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Share of labelled pixels of each label, background first; by whose pixels they are."""
    tagged: Sequence[int] = ()
    """Training images of each class."""
    pairs: Sequence[TagPair] = ()
    """Classes that come together."""
    sizes: Mapping[str, Sequence[SizeBin]] = field(default_factory=dict)
    """Objects by size: of subjects with their IoU (oracle), of masks their number alone."""
    images: Sequence[DoubtfulImage] = ()
    """All images, in the order of their splits."""
    advice: Sequence[Advice] = ()
    audit: AuditFindings | None = None
    gallery: Gallery = field(default_factory=Gallery)

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

    def number(self, stage: str, name: str) -> float | None:
        """A number of a stage; None where it was not measured."""
        found = self.manifests[stage].numbers.get(name) if stage in self.manifests else None
        return float(found) if isinstance(found, int | float) else None
