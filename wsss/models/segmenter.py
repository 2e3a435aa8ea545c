"""Segmentation networks from segmentation-models-pytorch, on the classifier's ImageNet weights."""

from typing import cast

import segmentation_models_pytorch as smp
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from wsss.models.backbones import Backbone, freeze_batch_norm
from wsss.models.weights import HUB_WEIGHTS, load_state_dict, load_trunk


class Segmenter(nn.Module):
    """An encoder-decoder network: RGB images in [0, 1] of any size in, logits of their size out."""

    def __init__(
        self,
        architecture: str,
        encoder: str,
        weights: str | None,
        num_classes: int,
        output_stride: int = 16,
    ) -> None:
        """Build the network.

        Args:
            architecture: name in segmentation-models-pytorch, such as `DeepLabV3Plus`.
            encoder: timm's name of the encoder's architecture.
            weights: ImageNet weights of the encoder: `package`, `hub`, a file, or None.
            num_classes: number of classes C without background.
            output_stride: image pixels per cell of the encoder's last feature map.

        Raises:
            WsssError: the weights are missing or belong to another network.
        """
        super().__init__()
        self.architecture = architecture
        self.encoder = encoder
        self.output_stride = output_stride
        self.network = smp.create_model(
            architecture,
            encoder_name=f"tu-{encoder}",
            encoder_weights="imagenet" if weights == HUB_WEIGHTS else None,
            encoder_output_stride=output_stride,
            classes=num_classes + 1,
        )
        trunk = cast(nn.Module, self.network.encoder.model)
        if weights is not None and weights != HUB_WEIGHTS:
            load_trunk(trunk, load_state_dict(encoder, weights), f"backbone.weights={weights}")
        config = trunk.pretrained_cfg
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(config["mean"]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config["std"]).view(3, 1, 1), persistent=False)

    @classmethod
    def on(cls, backbone: Backbone, architecture: str, num_classes: int) -> "Segmenter":
        """Build a segmenter with the architecture and the ImageNet weights of a backbone."""
        return cls(
            architecture, backbone.name, backbone.weights, num_classes, backbone.output_stride
        )

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b c1 H W"]:
        """Logits of background and C classes at the images' size."""
        height, width = images.shape[-2:]
        # The decoder joins feature maps of several strides, which must divide the image evenly.
        pad = [0, -width % self.output_stride, 0, -height % self.output_stride]
        normalised = F.pad((images - self.mean) / self.std, pad)
        return self.network(normalised)[..., :height, :width]  # type: ignore[no-any-return]

    def train(self, mode: bool = True) -> "Segmenter":
        """Set the training mode, leaving the encoder's BatchNorm on ImageNet's statistics."""
        super().train(mode)
        freeze_batch_norm(self.network.encoder)
        return self
