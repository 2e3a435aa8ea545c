"""A linear probe on a frozen classifier's features of several layers."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from wsss.argument_checks import check_layers, layer_names
from wsss.models import PixelProbe, SplitClassifier
from wsss.models.hypercolumns import hypercolumns

TRIAL_SIZE_PX = 64
"""Side of the image that tells how many features there are."""


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
    ) -> list[Float[Tensor, "b _ h w"]]:
        """What the probe sees of RGB images in [0, 1], by each network of the classifier."""
        names = list(model.inner_layers) if self.layers is None else self.layers
        layers = [model.inner_layers[name] for name in names]
        own = [{*network.modules()} for network in model.networks]
        return [
            hypercolumns(network, [layer for layer in layers if layer in modules], images)
            for network, modules in zip(model.networks, own, strict=True)
        ]

    def num_features(self, model: SplitClassifier) -> list[int]:
        """Channels of what the probe sees, by each network, found by a pass of a small image."""
        image = next(model.parameters()).new_zeros(1, 3, TRIAL_SIZE_PX, TRIAL_SIZE_PX)
        return [part.shape[1] for part in self.features(model, image)]

    def __call__(
        self, model: SplitClassifier, images: Float[Tensor, "b 3 H W"]
    ) -> Float[Tensor, "b n c1 h w"]:
        """Logits of background and C classes at each cell of the last feature map, by network."""
        assert self.probe is not None  # Trained before.
        logits: Tensor = self.probe(torch.cat(self.features(model, images), dim=1))
        return logits
