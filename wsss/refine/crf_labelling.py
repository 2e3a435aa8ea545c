"""Label masks of an image and its seeds by a dense CRF, in three parts that can run apart."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8, UInt16

from wsss.artifacts import Seeds
from wsss.errors import inside
from wsss.refine.dense_crf.engine import DenseCrfEngine, Labels, Problem


class CrfLabelling(ABC):
    """Poses a CRF's problem, has it solved, and makes a mask of the solution.

    Where many images are solved together, the first and the last part run in CPU processes.
    """

    engine: DenseCrfEngine

    @property
    def with_confidence(self) -> bool:
        """Whether the mask depends on the posteriors, too."""
        return False

    @abstractmethod
    def problem(self, image: UInt8[np.ndarray, "h w 3"], seeds: Seeds) -> Problem:
        """The image at the size at which it is solved, and unary energies; none: no problem."""

    @abstractmethod
    def mask(
        self, found: Sequence[Labels], labels: UInt16[np.ndarray, " n"], size: tuple[int, int]
    ) -> UInt8[np.ndarray, "h w"]:
        """The mask of the labels that were found.

        Args:
            found: for each unary of the problem.
            labels: mask values of the image's tags.
            size: height and width of the mask.
        """

    def __call__(self, image: UInt8[np.ndarray, "h w 3"], seeds: Seeds) -> UInt8[np.ndarray, "h w"]:
        """The mask of an image; one without tags is background."""
        working, unaries = self.problem(image, seeds)
        found = self.engine.label(working, unaries, self.with_confidence) if unaries else []
        return self.mask(found, seeds.labels, (image.shape[0], image.shape[1]))

    def check(self) -> None:
        """Refuse an engine that cannot work here.

        Raises:
            WsssError: names the setting.
        """
        with inside("engine"):
            self.engine.check()
