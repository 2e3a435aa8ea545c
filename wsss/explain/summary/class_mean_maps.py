"""Mean maps of a class over its images: in the image's frame, and centred on the object."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int64, Shaped

from wsss.metrics.explanation.outside import share_outside

Heat = Float[np.ndarray, "h w"]
Grid = Float[np.ndarray, "s s"]

GRID = 48
"""Cells of a side of the common grids."""
REACH = 2.0
"""Sides of the centred grid, in extents of the object: half an extent beside it on all sides."""


def frame_map(heat: Heat, side: int = GRID) -> Grid:
    """A map at `side × side` relative positions of its image: by area when shrinking."""
    height, width = heat.shape
    # By area only where both sides shrink: OpenCV takes the nearest cell of the others.
    shrinks = min(height, width) >= side
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(heat.astype(np.float32), (side, side), interpolation=interpolation)
    return np.asarray(resized, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object is, by the moments of its mask, in relative positions of the image."""

    centre: tuple[float, float]
    """Down and across, in [0, 1]."""
    extent: tuple[float, float]
    """Height and width of the rectangle with the mask's variances: √12 standard deviations, since a
    side of length s has a variance of s²/12."""


def place_of(mask: Shaped[np.ndarray, "h w"]) -> Place | None:
    """Centre of mass and extent of an object's mask; None of one without pixels.

    Args:
        mask: weights ≥ 0, or booleans. Pixels are squares, so that a single one has an extent.
    """
    weights = mask.astype(np.float64)
    if (total := weights.sum()) == 0:
        return None
    centre, extent = [], []
    for axis in (0, 1):
        length = weights.shape[axis]
        along = weights.sum(axis=1 - axis) / total
        positions = (np.arange(length) + 0.5) / length
        mean = float(along @ positions)
        variance = float(along @ (positions - mean) ** 2) + 1 / (12 * length**2)
        centre.append(mean)
        extent.append(float(np.sqrt(12 * variance)))
    return Place((centre[0], centre[1]), (extent[0], extent[1]))


def centred_map(
    heat: Heat, place: Place, side: int = GRID, reach: float = REACH
) -> tuple[Grid, Bool[np.ndarray, "s s"]]:
    """A map at positions that are relative to an object, and which of these are in the image.

    The object's centre of mass is in the middle, and its extents take `1 / reach` of the sides, so
    that evidence beside objects of all sizes is at the same distance from the middle: a ring.

    Args:
        heat: map of an image, at any size.
        place: of the object in this image.
        side: cells of a side of the grid.
        reach: sides of the grid, in extents.

    Returns:
        the map, bilinear between cells' centres, and whether each position is in the image.
    """
    from scipy.ndimage import map_coordinates

    steps = ((np.arange(side) + 0.5) / side - 0.5) * reach
    axes = [c + e * steps for c, e in zip(place.centre, place.extent, strict=True)]
    inside = [(axis >= 0) & (axis <= 1) for axis in axes]
    cells = [axis * length - 0.5 for axis, length in zip(axes, heat.shape, strict=True)]
    down, across = np.meshgrid(*cells, indexing="ij")
    values = map_coordinates(heat.astype(np.float64), [down, across], order=1, mode="nearest")
    return values, inside[0][:, None] & inside[1][None, :]


@dataclass(slots=True)
class MeanMap:
    """Mean and spread of maps of one grid, added one by one."""

    side: int = GRID
    num_images: int = 0
    counts: Int64[np.ndarray, "s s"] = field(init=False)
    """Images that cover each position."""
    totals: Grid = field(init=False)
    deviations: Grid = field(init=False)
    """Summed squares of the distances from the mean (Welford 1962)."""

    def __post_init__(self) -> None:
        """Begin without images."""
        self.counts = np.zeros((self.side, self.side), dtype=np.int64)
        self.totals = np.zeros((self.side, self.side))
        self.deviations = np.zeros((self.side, self.side))

    def add(self, values: Grid, covered: Bool[np.ndarray, "s s"] | None = None) -> None:
        """Add the map of an image.

        Args:
            values: at every position.
            covered: positions that are in the image; None: all.
        """
        covered = np.ones(values.shape, dtype=bool) if covered is None else covered
        before = values - self.mean
        self.counts += covered
        self.totals += np.where(covered, values, 0)
        self.deviations += np.where(covered, before * (values - self.mean), 0)
        self.num_images += 1

    @property
    def mean(self) -> Grid:
        """Mean over the images that cover a position; 0 where none does."""
        return np.asarray(self.totals / np.maximum(self.counts, 1))

    @property
    def spread(self) -> Grid:
        """Standard deviation over the images that cover a position."""
        return np.asarray(np.sqrt(self.deviations / np.maximum(self.counts, 1)))


@dataclass(slots=True)
class ClassMeanMaps:
    """The mean maps of a class, and those of its objects, which tell where its evidence is."""

    frame: MeanMap = field(default_factory=MeanMap)
    frame_object: MeanMap = field(default_factory=MeanMap)
    centred: MeanMap = field(default_factory=MeanMap)
    centred_object: MeanMap = field(default_factory=MeanMap)
    outside: list[float] = field(default_factory=list)
    """Share of the evidence outside the object, of each image with an object and evidence."""

    def add(
        self,
        heat: Heat,
        mask: Bool[np.ndarray, "h w"] | None,
        ignored: Bool[np.ndarray, "h w"] | None = None,
        of_itself: bool = False,
    ) -> None:
        """Add an image of the class.

        Args:
            heat: its map, in [0, 1].
            mask: its object at the map's size; None where there is no mask.
            ignored: pixels of which it is not known whether they are the object's.
            of_itself: whether the mask is made of the map, which then has nothing outside.
        """
        self.frame.add(frame_map(heat))
        if mask is None or (place := place_of(mask)) is None:
            return
        whole = mask.astype(np.float64)
        self.frame_object.add(frame_map(whole))
        self.centred.add(*centred_map(heat, place))
        self.centred_object.add(*centred_map(whole, place))
        if not of_itself and (share := share_outside(heat, mask, ignored)) is not None:
            self.outside.append(share)
