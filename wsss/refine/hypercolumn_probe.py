"""A linear probe on a frozen classifier's features of several layers."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from wsss.argument_checks import check_layers, layer_names
from wsss.models import PixelProbe, SplitClassifier
from wsss.models.hypercolumns import hypercolumns


class HypercolumnProbe:
    """Which features a probe sees, and the probe once there is one."""

    def __init__(self, layers: Sequence[str] | None = None) -> None:
        """Choose the features.

        Args:
            layers: names of inner layers beside the last feature map; None takes all.

        Raises:
            InvalidOptionError: they are no names.
        """
        self.layers = layer_names(layers)
        self.probe: PixelProbe | None = None

    def check(self, model: SplitClassifier) -> None:
        """Refuse names of layers that the model does not have.

        Raises:
            InvalidOptionError: names those that it has.
        """
        check_layers(self.layers or (), model.inner_layers)

    def features(
        self, model: SplitClassifier, images: Float[Tensor, "b 3 H W"]
    ) -> Float[Tensor, "b k h w"]:
        """What the probe sees of RGB images in [0, 1]."""
        names = list(model.inner_layers) if self.layers is None else self.layers
        layers = [model.inner_layers[name] for name in names]
        return hypercolumns(model.features, layers, images)

    def __call__(
        self, model: SplitClassifier, images: Float[Tensor, "b 3 H W"]
    ) -> Float[Tensor, "b c1 h w"]:
        """Logits of background and C classes at each cell of the last feature map."""
        assert self.probe is not None  # Trained before.
        logits: Tensor = self.probe(self.features(model, images))
        return logits
