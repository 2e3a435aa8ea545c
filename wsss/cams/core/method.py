"""What an activation-mapping method is: raw maps from a split classifier."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float, Int64
from torch import Tensor

from wsss.cams.core.needs import Need, lacking, offers
from wsss.models.classifier import SplitClassifier


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a method's formulas come from, for `wsss explain --list`."""

    paper: str
    """Authors, short title, venue and year."""
    reconstructed: str = ""
    """What is of neither the paper nor its authors' program, but filled in; empty if nothing."""


class CamMethod(ABC):
    """A method that explains class logits by maps over the image.

    Methods return raw maps, signed and unnormalised; everything after that (ReLU, resizing,
    normalising, scales and flips) is the same for all and lives in `postprocess` and `multiscale`.
    They leave nothing behind: no hook, no gradient flag, no mode, no random state. Call them under
    `torch.no_grad` or not; those that need gradients refuse `torch.inference_mode`.
    """

    needs: frozenset[Need] = frozenset()
    """What a model must offer; options may leave an instance with less."""
    provenance: Provenance
    """Where its formulas come from; options may give an instance another."""
    sees_scales: ClassVar[bool] = False
    """Whether the method looks at several scales and mirror images itself."""
    shares_score: bool = False
    """Whether its maps are shares of a score: four times the cells, a quarter of the values."""

    def check(self, model: SplitClassifier) -> None:
        """Refuse a model that the method cannot explain, before anything is computed.

        Raises:
            UnsupportedError: names what the model lacks.
        """
        if missing := self.needs - offers(model):
            came = f"a {type(model.features).__name__} with a {type(model.head).__name__}"
            raise lacking(type(self).__name__, came, missing)

    @abstractmethod
    def __call__(
        self,
        model: SplitClassifier,
        images: Float[Tensor, "b 3 H W"],
        classes: Int64[Tensor, "b n"],
    ) -> Float[Tensor, "b n h w"]:
        """Raw maps of `n` classes of each image.

        Args:
            model: the classifier, in evaluation mode.
            images: RGB in [0, 1].
            classes: class indices 0…C-1; images with fewer classes repeat one.

        Raises:
            IndexError: a class index is out of range.
        """


def check_classes(model: SplitClassifier, classes: Int64[Tensor, "b n"]) -> None:
    """Refuse class indices out of range, which indexing would answer with another class.

    Raises:
        IndexError: names the range.
    """
    if classes.numel() and not 0 <= int(classes.min()) <= int(classes.max()) < model.num_classes:
        raise IndexError(
            f"class indices {int(classes.min())}…{int(classes.max())}: "
            f"expected 0…{model.num_classes - 1}"
        )
