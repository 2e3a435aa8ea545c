"""Cutting an image classifier in two behind its last feature map."""

import copy
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, fx, nn

from wsss.errors import user_error
from wsss.models.backbones import Backbone
from wsss.models.classifier import LinearHead, SplitClassifier
from wsss.models.no_side_effects import unchanged
from wsss.models.normalisation import Normalisation
from wsss.models.traced_graph import (
    ShapeNotes,
    Surface,
    black_image,
    channels_last,
    inner_names,
    last_map,
    parts,
)

_REMEDY = (
    "Use a network whose features stay a map until they are pooled, such as timm:resnet50, "
    "timm:tf_efficientnet_lite0, torchvision:vgg16 or torchvision:swin_t."
)


class CutBackbone(Backbone):
    """The part of a classifier up to its last feature map, with images normalised as it expects."""

    def __init__(
        self,
        name: str,
        network: nn.Module,
        normalise: Normalisation,
        side_px: int,
        features: Float[Tensor, "1 k h w"],
    ) -> None:
        """Describe the part.

        Args:
            name: of the whole classifier, such as `timm:resnet50`.
            network: normalised images to the feature map.
            normalise: the statistics of the images it was trained on.
            side_px: side of the square images it was trained on.
            features: its output for such an image.
        """
        super().__init__(name, round(side_px / features.shape[2]))
        self.network = network
        self.num_features = features.shape[1]
        self.normalise = normalise
        self.side_px = side_px
        self.takes_any_size = True
        """Whether the classifier works on images of other sizes than `side_px`, too."""
        self._inner_names = inner_names(network, side_px)

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b k h w"]:
        """Feature map of RGB images in [0, 1]."""
        return self.network(self.normalise(images))  # type: ignore[no-any-return]

    @property
    def inner_layers(self) -> Mapping[str, nn.Module]:
        """The last module at each resolution, shallow to deep: `layer3`, `features.16`."""
        return {name: self.network.get_submodule(name) for name in self._inner_names}


class CutHead(nn.Module):
    """The part of a classifier behind its last feature map, of any form."""

    def __init__(self, network: nn.Module, num_classes: int) -> None:
        """Hold the part, which maps a feature map to `num_classes` logits."""
        super().__init__()
        self.network = network
        self.num_classes = num_classes

    def forward(self, features: Float[Tensor, "b k h w"]) -> Float[Tensor, "b c"]:
        """Logits of a feature map."""
        return self.network(features)  # type: ignore[no-any-return]


@torch.no_grad()
def cut(network: nn.Module, name: str, normalise: Normalisation, side_px: int) -> SplitClassifier:
    """Cut a single-label classifier behind its last feature map; the logits stay equal.

    The network's `forward` is traced (`torch.fx`); the cut is behind the last map of more than one
    position, before a pooling to a fixed size. A head of global average pooling and one linear
    layer becomes a `LinearHead` with the same weights. The network is unchanged; the parts share
    its modules.

    Args:
        network: normalised images [B, 3, H, W] to logits [B, C].
        name: what errors call it, such as `timm:resnet50`.
        normalise: the statistics of the images it was trained on.
        side_px: side of the square images it was trained on.

    Raises:
        WsssError: the network has no such map, or cannot be traced.
    """
    with unchanged(network):
        return _cut(network, name, normalise, side_px)


def _cut(network: nn.Module, name: str, normalise: Normalisation, side_px: int) -> SplitClassifier:
    """Cut a network in evaluation mode."""
    image = black_image(network, side_px, side_px)
    try:
        graph = Surface().trace(network)
        shapes = ShapeNotes(fx.GraphModule(network, graph))
        logits = shapes.run(image)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise user_error(
            name,
            f"the network cannot be followed from image to logits ({reason})",
            "a forward pass without branches that depend on the image",
            _REMEDY,
        ) from error
    place = last_map(network, graph, shapes.found, side_px)
    if place is None:
        raise user_error(
            name,
            "its logits follow from tokens or vectors, such as the class token of a vision "
            "transformer, and are no function of a feature map",
            "a feature map [K, h, w] that the logits follow from",
            f"{_REMEDY} A VitBackbone with a linear head reads the map of a vision transformer's "
            "patches.",
        )
    try:
        first, second = parts(network, graph, place, channels_last(shapes.found[place]))
    except KeyError as error:
        raise user_error(
            name,
            f"its head also takes `{error.args[0]}` from before the last feature map",
            "a head that sees nothing but the last feature map",
            _REMEDY,
        ) from error
    features = first(image)
    head = linear_head(second, features.shape[1:]) or CutHead(second, logits.shape[1])
    backbone = CutBackbone(name, first, normalise, side_px, features)
    model = SplitClassifier(backbone, head, multi_label=False).eval()
    backbone.takes_any_size = _takes(model, side_px, side_px + 2 * backbone.output_stride)
    return model


def linear_head(head: nn.Module, size: tuple[int, int, int] | torch.Size) -> LinearHead | None:
    """The `LinearHead` with the weights and outputs of `head`; None if `head` is another function.

    Both are compared on the same random features in float64.

    Args:
        head: feature maps to logits, in evaluation mode.
        size: K, h and w of the feature maps.
    """
    layers = [m for m in head.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    if len(layers) != 1 or layers[0].weight.flatten(1).shape[1] != size[0]:
        return None
    linear = LinearHead.sharing(layers[0])
    generator = torch.Generator().manual_seed(0)
    probe = torch.randn(2, *size, dtype=torch.float64, generator=generator)
    expected, found = (copy.deepcopy(one).cpu().double()(probe) for one in (head, linear))
    same = torch.allclose(found, expected, rtol=1e-9, atol=1e-12)
    return linear if same else None


def _takes(model: nn.Module, height_px: int, width_px: int) -> bool:
    """Whether a model works on images of a size; networks raise various errors if not."""
    try:
        model(black_image(model, height_px, width_px))
    except Exception:
        return False
    return True
