"""Faults of the synthetic data set: what shall be planted, and what was."""

from dataclasses import dataclass

from wsss.argument_checks import check_choice, check_fraction, check_whole
from wsss.data.sources.synthetic.shapes import SHAPES

WRONG_TAGS, MISSING_TAGS, CORNER_STAMP, CONTEXT_BIAS, DUPLICATES = FAULTS = (
    "wrong_tags", "missing_tags", "corner_stamp", "context_bias", "duplicates",
)  # fmt: skip
"""The kinds of faults, each named after the setting that plants it."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares of faults, none by default. Each kind is drawn apart from the others.

    Raises:
        InvalidOptionError: a share is not from 0 to 1, or a class is unknown.
    """

    wrong_tags: float = 0.0
    """Share of the training images of which one tag is replaced by a class that is not there."""
    missing_tags: float = 0.0
    """Share of the training images with several tags that lose one."""
    corner_stamp: float = 0.0
    """Share of the images with an object of `stamp_class` that bear a watermark in a corner."""
    stamp_class: str = "guitar"
    context_bias: float = 0.0
    """Probability that the place tells whether there is an object of `context_class`: its own place
    where there is one, another place where there is none."""
    context_class: str = "cactus"
    duplicates: float = 0.0
    """Near copies that are added, as a share of the training images: half of them to each split,
    all of different training images, and half of them with other tags."""
    seed: int | None = None
    """Of what is planted; None for that of the data set."""

    def __post_init__(self) -> None:
        """Check shares and classes."""
        check_fraction(**{name: getattr(self, name) for name in FAULTS})
        names = [shape.name for shape in SHAPES]
        check_choice(names, stamp_class=self.stamp_class, context_class=self.context_class)
        if self.seed is not None:
            check_whole(0, seed=self.seed)

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return any(getattr(self, name) for name in FAULTS)


@dataclass(frozen=True, slots=True)
class Planted:
    """A planted fault. Benchmarks and tests read it, no stage does."""

    kind: str
    """One of `FAULTS`."""
    image: str | None = None
    """Id of the image; None of a fault of a whole class."""
    label: str | None = None
    """Name of the class: the wrong tag, the tag that is missing, the class with the stamp or the
    place, the class by which the tags of a copy differ (None where they are the same)."""
    other: str | None = None
    """What it goes with: the class that a wrong tag replaces, the id of a copy's original, the name
    of the class's place."""
