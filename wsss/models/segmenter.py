"""Segmentation networks on ImageNet's weights, with images of any size as input."""

from typing import Any, cast

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from wsss.errors import InvalidOptionError
from wsss.models.backbones import Backbone, batch_norms, freeze_batch_norm
from wsss.models.classifier import SplitClassifier
from wsss.models.normalisation import Normalisation
from wsss.models.segmentation_networks.building import architecture_of, segmentation_network
from wsss.models.segmentation_networks.encoder_weights import load_encoder
from wsss.models.weights import load_state_dict

DECODER_ALONE = "decoder"
"""For `trains_from`: the encoder stays as it is."""


class Segmenter(nn.Module):
    """An encoder-decoder network from RGB images in [0, 1] of any size to logits of that size."""

    def __init__(
        self,
        architecture: str,
        encoder: str,
        weights: str | None,
        num_classes: int,
        output_stride: int | None = None,
        trains_from: str | None = None,
        trains_batch_norm: bool = True,
        **decoder: Any,
    ) -> None:
        """Build the network.

        Args:
            architecture: such as `DeepLabV3Plus`; see `ARCHITECTURES`.
            encoder: timm's name of the encoder's architecture.
            weights: ImageNet weights of the encoder: `package`, `hub`, a file, or None.
            num_classes: number of classes C without background.
            output_stride: image pixels per cell of the encoder's last feature map; None: the
                architecture's usual.
            trains_from: the first module of the encoder that is trained, such as `blocks.4`;
                earlier ones are frozen. `decoder`: all of the encoder is frozen. None: it is
                trained.
            trains_batch_norm: whether scales and shifts of the encoder's BatchNorm are trained; its
                statistics never are.
            decoder: options that the architecture's decoder has, such as `decoder_channels`.

        Raises:
            WsssError: architecture, encoder and options do not fit each other, or the weights are
                missing or belong to another network.
        """
        super().__init__()
        self.network: Any = segmentation_network(
            architecture, encoder, num_classes + 1, output_stride, decoder
        )
        chosen = architecture_of(architecture)
        self.architecture = architecture
        self.encoder = encoder
        self.output_stride = output_stride or chosen.output_strides[0]
        """The encoder sees images whose sides are multiples of this."""
        self.decoder_options = {**chosen.options, **decoder}
        trunk = cast("nn.Module", cast("nn.Module", self.network.encoder).model)
        if weights is not None:
            load_encoder(trunk, load_state_dict(encoder, weights), weights)
        if trains_from is not None:
            freeze_before(trunk, trains_from)
        if not trains_batch_norm:
            for layer in batch_norms(trunk):
                layer.requires_grad_(False)
        self.normalise = Normalisation.of(trunk)
        self.classifier: SplitClassifier | None = None
        self.classifier_weight = 0.0

    @property
    def described(self) -> dict[str, Any]:
        """The arguments from which its like is made, but for weights and classes."""
        options = {name: getattr(self, name) for name in ("architecture", "encoder")}
        return {**options, "output_stride": self.output_stride, **self.decoder_options}

    def take_evidence(self, classifier: SplitClassifier | None, weight: float) -> None:
        """Let a classifier of the same classes say which are likely to be in an image at all.

        From then on the probability of every class is multiplied by that of its tag, to the power
        of `weight`: a classifier of whole images confuses fewer classes than one of pixels. None
        ends it.
        """
        self.classifier, self.classifier_weight = classifier, weight

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b c1 H W"]:
        """Logits of background and C classes at the images' size."""
        height, width = images.shape[-2:]
        # The strides of the feature maps that the decoder takes must divide the image's sides.
        pad = _to_multiples(height, width, self.output_stride)
        logits = self.network(F.pad(self.normalise(images), pad))[..., :height, :width]
        if self.classifier is None:
            return logits  # type: ignore[no-any-return]
        pad = _to_multiples(height, width, cast("Backbone", self.classifier.features).output_stride)
        seen = F.pad(images, pad, mode="replicate")
        return logits + evidence(self.classifier, self.classifier_weight, seen)  # type: ignore[no-any-return]

    def train(self, mode: bool = True) -> "Segmenter":
        """Set the training mode, leaving the encoder's BatchNorm on ImageNet's statistics."""
        super().train(mode)
        freeze_batch_norm(self.network.encoder)
        return self


def evidence(
    classifier: SplitClassifier, weight: float, images: Float[Tensor, "b 3 H W"]
) -> Float[Tensor, "b c1 1 1"]:
    """What a classifier of images adds to the logits of pixels: 0 for background, `weight` · log p.

    Args:
        classifier: of C classes.
        weight: 0 or more.
        images: RGB in [0, 1], of sides that the classifier takes.
    """
    return F.pad(weight * classifier.log_probabilities(images), (1, 0))[:, :, None, None]


def _to_multiples(height: int, width: int, stride: int) -> list[int]:
    """What is added on the right and below until sides are multiples of a stride."""
    return [0, -width % stride, 0, -height % stride]


def freeze_before(trunk: nn.Module, first_trained: str) -> None:
    """Freeze all parameters before the module `first_trained`, or all of them for `decoder`.

    Raises:
        WsssError: the trunk has no such module.
    """
    if first_trained == DECODER_ALONE:
        trunk.requires_grad_(False)
        return
    names = [name for name, _ in trunk.named_modules() if name]
    if first_trained not in names:
        blocks = [name for name in names if name.count(".") <= 1]
        expected = (
            f"a module of the encoder: {', '.join(blocks)}; "
            f"or {DECODER_ALONE}, to train none of it; or none, to train all of it"
        )
        raise InvalidOptionError("trains_from", first_trained, expected)
    for name, parameter in trunk.named_parameters():
        if name.startswith(f"{first_trained}."):
            return
        parameter.requires_grad_(False)
