"""What a device computes for the mean field: an interface with two implementations."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple, Protocol

from jaxtyping import Float32, Int32, Int64, UInt8
from torch import Tensor

from wsss.refine.dense_crf.on_device.rows import Splat
from wsss.refine.dense_crf.on_device.upload import Images, Levels, Unaries
from wsss.refine.dense_crf.packing import Packing


class Slice(NamedTuple):
    """From vertices to points: a sparse matrix with d + 1 entries a row."""

    corners: Int32[Tensor, "d1 n"]
    weights: Float32[Tensor, "d1 n"]


class Labelling(NamedTuple):
    """Labels of all unaries' pixels, one after another."""

    labels: UInt8[Tensor, " p"]
    """Of the highest posterior; of equal ones the first."""
    confidence: Float32[Tensor, " p"] | None
    """That posterior."""


Sums = tuple[Float32[Tensor, "m d"], Float32[Tensor, "m d"]]
"""Blurred values of the vertices, of positions and of positions and colours."""


class Problem(Protocol):
    """Unaries as an implementation needs them."""

    @property
    def num_channels(self) -> int:
        """Columns of points and vertices: each unary's channels but its first."""
        ...


class Operations(ABC):
    """The steps of the mean field, on differences from the probability of the first channel."""

    rows_first: ClassVar[bool]
    """Whether tables of sparse rows lie in memory row after row, not entry after entry."""

    fills_up: ClassVar[bool]
    """Whether images of a group may differ in their numbers of channels."""

    @abstractmethod
    def locate(
        self, images: Images, table: Levels, layout: Packing, dimensions: int
    ) -> tuple[Int64[Tensor, "d1 n"], Float32[Tensor, "d1 n"]]:
        """Keys and barycentric weights of the vertices around points; see `simplices.locate`."""

    @abstractmethod
    def splat(
        self, values: Float32[Tensor, "n d"], rows: Splat, num_vertices: int
    ) -> Float32[Tensor, "m d"]:
        """The sums of weighted values at the vertices; 0 at the null vertex."""

    @abstractmethod
    def blur(
        self, sums: Float32[Tensor, "m d"], neighbours: Int32[Tensor, "r 2"]
    ) -> Float32[Tensor, "r d"]:
        """Each of the first `r` vertices' own value plus half of both neighbours'."""

    @abstractmethod
    def prepared(self, images: Images, unaries: Unaries, slices: tuple[Slice, Slice]) -> Problem:
        """What the next three take as `problem`.

        Args:
            images: whose pixels are the points.
            unaries: their energies.
            slices: of positions, and of positions and colours.
        """

    @abstractmethod
    def update(self, problem: Any, sums: Sums | None, values: Float32[Tensor, "n d"]) -> None:
        """Set values to the differences of probabilities after a step: slice, then soft-max.

        Args:
            problem: from `prepared`.
            sums: at the vertices; None: 0.
            values: those of padding stay.
        """

    @abstractmethod
    def posteriors(self, problem: Any, sums: Sums | None) -> Float32[Tensor, " e"]:
        """The probability of a label of every channel, where the unaries have its energies."""

    @abstractmethod
    def labels(self, problem: Any, sums: Sums | None, with_confidence: bool) -> Labelling:
        """The labels of highest probability."""

    def filtered(
        self, values: Float32[Tensor, "n d"], rows: Splat, neighbours: Int32[Tensor, "d1 m 2"]
    ) -> Float32[Tensor, "m d"]:
        """Splat and blur along all axes, in order: it matters where vertices are missing."""
        sums = self.splat(values, rows, neighbours.shape[1])
        for axis in neighbours:
            sums = self.blur(sums, axis)
        return sums
