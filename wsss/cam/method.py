"""What an activation-mapping method is: raw maps from a split classifier."""

from abc import ABC, abstractmethod

from jaxtyping import Float, Int64
from torch import Tensor

from wsss.models.classifier import SplitClassifier


class CamMethod(ABC):
    """A method that explains class logits by maps over the image.

    Methods return raw maps, signed and unnormalised; everything after that (ReLU, resizing,
    normalising, scales and flips) is the same for all and lives in `postprocess` and `multiscale`.
    """

    def check(self, model: SplitClassifier) -> None:  # noqa: B027
        """Refuse a model that the method cannot explain, before anything is computed.

        Raises:
            WsssError: names what the method needs and a model that has it.
        """

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
        """
