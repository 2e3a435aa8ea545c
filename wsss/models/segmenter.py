"""Segmentation networks from segmentation-models-pytorch, on the classifier's ImageNet weights."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from wsss.errors import InvalidOptionError
from wsss.models.backbones import freeze_batch_norm
from wsss.models.normalisation import Normalisation
from wsss.models.weights import load_state_dict, load_trunk


class Segmenter(nn.Module):
    """An encoder-decoder network from RGB images in [0, 1] of any size to logits of that size."""

    def __init__(
        self,
        architecture: str,
        encoder: str,
        weights: str | None,
        num_classes: int,
        output_stride: int = 16,
        decoder_channels: int = 256,
        trains_from: str | None = None,
    ) -> None:
        """Build the network.

        Args:
            architecture: `DeepLabV3Plus`, or `DeepLabV3`, of segmentation-models-pytorch.
            encoder: timm's name of the encoder's architecture.
            weights: ImageNet weights of the encoder: `package`, `hub`, a file, or None.
            num_classes: number of classes C without background.
            output_stride: image pixels per cell of the encoder's last feature map.
            decoder_channels: width of the decoder.
            trains_from: the first module of the encoder that is trained, such as `blocks.4`;
                earlier ones are frozen. None trains all of it.

        Raises:
            WsssError: the weights are missing or belong to another network.
        """
        import segmentation_models_pytorch as smp

        super().__init__()
        self.architecture = architecture
        self.encoder = encoder
        self.output_stride = output_stride
        self.decoder_channels = decoder_channels
        try:
            self.network = smp.create_model(
                architecture,
                encoder_name=f"tu-{encoder}",
                encoder_weights=None,
                encoder_output_stride=output_stride,
                decoder_channels=decoder_channels,
                classes=num_classes + 1,
            )
        except (KeyError, RuntimeError, ValueError, AttributeError, TypeError) as error:
            raise InvalidOptionError(
                "encoder",
                encoder,
                "a convolutional network of timm, whose inner feature maps the decoder joins",
                f"{architecture} cannot be built on it ({type(error).__name__}: {error})",
                "Use one, such as `tf_efficientnet_lite0`.",
                {"convolutional encoder"},
            ) from error
        trunk = cast("nn.Module", self.network.encoder.model)
        if weights is not None:
            load_trunk(trunk, load_state_dict(encoder, weights), weights)
        if trains_from is not None:
            freeze_before(trunk, trains_from)
        self.normalise = Normalisation.of(trunk)

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b c1 H W"]:
        """Logits of background and C classes at the images' size."""
        height, width = images.shape[-2:]
        # The strides of the feature maps that the decoder joins must divide the image's sides.
        pad = [0, -width % self.output_stride, 0, -height % self.output_stride]
        return self.network(F.pad(self.normalise(images), pad))[..., :height, :width]  # type: ignore[no-any-return]

    def train(self, mode: bool = True) -> "Segmenter":
        """Set the training mode, leaving the encoder's BatchNorm on ImageNet's statistics."""
        super().train(mode)
        freeze_batch_norm(self.network.encoder)
        return self


def freeze_before(trunk: nn.Module, first_trained: str) -> None:
    """Freeze all parameters before the module `first_trained`.

    Raises:
        WsssError: the trunk has no such module.
    """
    names = [name for name, _ in trunk.named_modules() if name]
    if first_trained not in names:
        blocks = [name for name in names if name.count(".") <= 1]
        expected = f"a module of the encoder: {', '.join(blocks)}; or none, to train all of it"
        raise InvalidOptionError("trains_from", first_trained, expected)
    for name, parameter in trunk.named_parameters():
        if name.startswith(f"{first_trained}."):
            return
        parameter.requires_grad_(False)
