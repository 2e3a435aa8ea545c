"""Image classification networks behind one signature: images in, a feature map out."""

import timm
from jaxtyping import Float
from torch import Tensor, nn

from wsss.models.normalisation import Normalisation
from wsss.models.weights import load_state_dict, load_trunk

# Shape suffixes: B = batch, K = feature channels, H, W = image, h, w = feature map.


class Backbone(nn.Module):
    """A timm network without its classifier, at a chosen output stride.

    It takes RGB in [0, 1] and normalises it itself, so that no caller can use the wrong mean.
    BatchNorm keeps its running statistics, also in training mode: batches are small and the
    statistics are ImageNet's.
    """

    def __init__(
        self, name: str, weights: str | None = None, output_stride: int = 16, freeze: str = "none"
    ) -> None:
        """Build the network.

        Args:
            name: timm's name of the architecture.
            weights: `package`, `hub`, a file, or None for random weights.
            output_stride: image pixels per feature, 8, 16 or 32; reached by dilation.
            freeze: `none`, `stem` (the first convolution) or `backbone` (everything).

        Raises:
            WsssError: the weights are missing or belong to another network.
        """
        super().__init__()
        if freeze not in ("none", "stem", "backbone"):
            raise ValueError(f"freeze={freeze!r}: expected 'none', 'stem' or 'backbone'")
        self.name = name
        self.weights = weights
        self.output_stride = output_stride
        self.freeze = freeze
        self.network = timm.create_model(
            name, pretrained=False, num_classes=0, output_stride=output_stride
        )
        if weights is not None:
            load_trunk(self.network, load_state_dict(name, weights), f"backbone.weights={weights}")
        self.num_features = int(self.network.num_features)  # type: ignore[arg-type]
        self.normalise = Normalisation(self.network)
        self._freeze_parameters()

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b k h w"]:
        """Feature map of RGB images in [0, 1], `output_stride` pixels a cell."""
        return self.network.forward_features(self.normalise(images))  # type: ignore[operator, no-any-return]

    def train(self, mode: bool = True) -> "Backbone":
        """Set the training mode, leaving BatchNorm on its running statistics."""
        super().train(mode)
        freeze_batch_norm(self)
        return self

    def _freeze_parameters(self) -> None:
        stem = ("conv1", "bn1", "conv_stem")
        for name, parameter in self.network.named_parameters():
            frozen = self.freeze == "backbone" or (
                self.freeze == "stem" and name.split(".")[0] in stem
            )
            parameter.requires_grad_(not frozen)


def freeze_batch_norm(module: nn.Module) -> None:
    """Put every BatchNorm layer of a module into evaluation mode."""
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()
