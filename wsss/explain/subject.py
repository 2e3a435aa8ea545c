"""The classifier that is explained, and how it looks at images."""

from dataclasses import dataclass

from wsss.data.pyramids import Scales, Size
from wsss.models.classifier import SplitClassifier

MAX_SIDE_PX = 1024
"""Images with a longer side are reduced to it; factors above 1 enlarge them again."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A classifier with all that an explanation must know of it."""

    title: str
    """What it is called in tables: `timm:resnet50`, a folder."""
    model: SplitClassifier
    class_names: tuple[str, ...]
    cell_px: int
    """Sides of images are rounded to multiples of this: whole cells of the feature map."""
    short_side_px: int | None = None
    """Shorter side at which images are seen; None is their own."""
    fixed_side_px: int | None = None
    """Side of the squares that all images are squeezed to, where it takes no other size."""

    def sizes(self, size: Size, factors: tuple[float, ...]) -> tuple[Size, ...]:
        """The sizes at which an image of `size` (height, width) is seen, one for each factor."""
        if self.fixed_side_px is not None:
            return ((self.fixed_side_px, self.fixed_side_px),)
        zoom = 1.0 if self.short_side_px is None else self.short_side_px / min(size)
        # A panorama seen at the right height would be too wide.
        zoom = min(zoom, MAX_SIDE_PX / max(size))
        scales = Scales(tuple(zoom * f for f in factors), self.cell_px, max(*size, MAX_SIDE_PX))
        return scales.sizes(size)
