"""Image classification networks behind one signature: images in, a feature map out."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from jaxtyping import Float
from torch import Tensor, nn

from wsss.argument_checks import check_choice
from wsss.errors import InvalidOptionError
from wsss.models.normalisation import Normalisation
from wsss.models.weights import in_timms_layout, load_state_dict, load_trunk
from wsss.wording import nearest

NATIVE_STRIDE = 32
"""Image pixels per feature of most of timm's networks unless they are dilated."""

# Shape suffixes: B = batch, K = feature channels, H, W = image, h, w = feature map.


class Backbone(nn.Module, ABC):
    """A classification network without its classifier.

    It takes RGB in [0, 1] and normalises it itself. BatchNorm keeps ImageNet's running statistics,
    also in training mode, as batches are small, unless it has to learn them. Subclasses set
    `network`, `num_features` and `normalise`.
    """

    network: nn.Module
    num_features: int
    """Channels K of the feature map."""
    normalise: Normalisation
    stem: tuple[str, ...] = ()
    """Names of the network's first modules, frozen by `freeze="stem"`."""
    train_batch_norm = False
    """Whether BatchNorm follows the training mode, as the rest of the network does."""

    @property
    def options(self) -> Mapping[str, Any]:
        """Further arguments from which its like is made, where they are not the usual ones."""
        return {}

    def __init__(self, name: str, output_stride: int, freeze: str = "none") -> None:
        """Hold the description of a backbone.

        Args:
            name: of the architecture.
            output_stride: image pixels per cell of the feature map.
            freeze: `none`, `stem` (the first layer), `backbone` (everything), or the name of an
                inner layer: everything up to it.
        """
        super().__init__()
        self.name = name
        self.output_stride = output_stride
        self.freeze = freeze

    @abstractmethod
    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b k h w"]:
        """Feature map of RGB images in [0, 1], `output_stride` pixels a cell."""

    @property
    def inner_layers(self) -> Mapping[str, nn.Module]:
        """Modules with feature maps [B, K, h, w] as outputs, by name, shallow to deep."""
        return {}

    def train(self, mode: bool = True) -> "Backbone":
        """Set the training mode, leaving BatchNorm on the running statistics it was given."""
        super().train(mode)
        if not self.train_batch_norm:
            freeze_batch_norm(self)
        return self

    def freeze_parameters(self) -> None:
        """Freeze the parameters that `freeze` names; called once the network is built.

        Raises:
            InvalidOptionError: `freeze` is none of the words, and no inner layer with parameters.
        """
        layers = {name: {*one.parameters()} for name, one in self.inner_layers.items()}
        words = ("none", "stem", "backbone", *(name for name, own in layers.items() if own))
        check_choice(words, freeze=self.freeze)
        named = [*self.network.named_parameters()]
        up_to = [n for n, (_, one) in enumerate(named) if one in layers.get(self.freeze, ())]
        for number, (name, parameter) in enumerate(named):
            frozen = (
                self.freeze == "backbone"
                or (self.freeze == "stem" and name.split(".")[0] in self.stem)
                or (bool(up_to) and number <= up_to[-1])
            )
            parameter.requires_grad_(not frozen)


class TimmBackbone(Backbone):
    """A convolutional network of timm at a chosen output stride.

    Its feature map is that of timm's `forward_features`. Of a ConvNeXt, whose last norm is behind
    the average pooling, each pixel's features are normalised, as timm does with `head_norm_first`
    and DINOv3's ConvNeXts do with what they call patches.
    """

    stem = ("conv1", "bn1", "conv_stem", "stem")

    def __init__(
        self,
        name: str,
        weights: str | None = None,
        output_stride: int | None = 16,
        freeze: str = "none",
        dilates: bool = True,
    ) -> None:
        """Build the network.

        Args:
            name: timm's name of the architecture, with or without the tag of a training behind a
                dot (`convnext_tiny.dinov3_lvd1689m`).
            weights: `package`, `hub`, a file, or None for random weights.
            output_stride: image pixels per feature, 8, 16 or 32, reached by dilation; None for the
                network's own.
            freeze: `none`, `stem` (the first convolution), `backbone` (everything), or the name of
                an inner layer, such as `layer2`: everything up to it.
            dilates: whether a smaller output stride dilates the convolutions behind it. False, as
                in the code of IRN: they see as many cells as without it, and so fewer pixels.

        Raises:
            WsssError: timm has no such network, it has no last feature map or cannot be dilated, or
                the weights are missing or another network's.
        """
        import timm

        if not timm.is_model(name):
            raise InvalidOptionError(
                "name", name, nearest(name, timm.list_models()), "timm has no such network",
                "Correct the name; `timm.list_models()` has them all.",
            )  # fmt: skip
        super().__init__(name, output_stride or 0, freeze)
        self.dilates = dilates
        self.network = _convolutional(name, output_stride)
        if not dilates:
            undilate(self.network)
        stages = cast("Sequence[Mapping[str, int]]", self.network.feature_info)
        self.output_stride = output_stride or stages[-1]["reduction"]
        if weights is not None:
            state = in_timms_layout(self.network, load_state_dict(name, weights))
            load_trunk(self.network, state, weights)
        _normalise_before_pooling(self.network)
        self.num_features = int(self.network.num_features)  # type: ignore[arg-type]
        self.normalise = Normalisation.of(self.network)
        self.freeze_parameters()

    @property
    def options(self) -> Mapping[str, Any]:
        """`dilates`, where it is not so."""
        return {} if self.dilates else {"dilates": False}

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b k h w"]:
        """Feature map of RGB images in [0, 1], `output_stride` pixels a cell."""
        return self.network.forward_features(self.normalise(images))  # type: ignore[operator, no-any-return]

    @property
    def inner_layers(self) -> Mapping[str, nn.Module]:
        """The last module of each stage, by timm's name: `layer3`, `blocks.4`."""
        stages = cast("Iterable[Mapping[str, str]]", self.network.feature_info)
        return {stage["module"]: self.network.get_submodule(stage["module"]) for stage in stages}


def _convolutional(name: str, output_stride: int | None) -> nn.Module:
    """A network of timm that ends with a feature map [B, K, h, w], with random weights.

    Raises:
        InvalidOptionError: it ends with tokens or a map with channels last, or cannot be dilated.
    """
    import timm

    # Its own stride can be had of every network, others of those that can be dilated.
    dilated: dict[str, Any] = {}
    if output_stride not in (None, NATIVE_STRIDE):
        dilated["output_stride"] = output_stride
    try:
        network: nn.Module = timm.create_model(name, pretrained=False, num_classes=0, **dilated)
        cannot = None
    except (TypeError, AssertionError, NotImplementedError) as error:
        if not dilated:
            raise
        network, cannot = timm.create_model(name, pretrained=False, num_classes=0), error
    tokens = hasattr(network, "num_prefix_tokens")
    if tokens or getattr(network, "output_fmt", "NCHW") != "NCHW":
        raise InvalidOptionError(
            "name", name, "a convolutional network, such as resnet50 or convnext_tiny",
            "its features are tokens" if tokens else "its features have the channels last",
            "Vision transformers are made by VitBackbone." if tokens else "Name another one.",
        )  # fmt: skip
    if cannot is not None:
        own = int(network.feature_info[-1]["reduction"])  # type: ignore[index]
        raise InvalidOptionError(
            "output_stride", output_stride, f"{own}, its own",
            f"`{name}` cannot be dilated", f"Set it to {own}.",
        ) from cannot  # fmt: skip
    return network


def undilate(network: nn.Module) -> None:
    """Give every 2D convolution a dilation of 1; weights, strides and sizes of maps stay."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            if not isinstance(layer.padding, str):  # "same" is computed from the dilation.
                pairs = zip(layer.padding, layer.dilation, strict=True)
                layer.padding = tuple(pad // rate for pad, rate in pairs)
            layer.dilation = (1, 1)


def _normalise_before_pooling(network: nn.Module) -> None:
    """Let a ConvNeXt of timm normalise its map instead of the map's average."""
    from timm.models.convnext import ConvNeXt

    if isinstance(network, ConvNeXt) and isinstance(network.norm_pre, nn.Identity):
        network.norm_pre, network.head.norm = network.head.norm, nn.Identity()


def batch_norms(module: nn.Module) -> Iterator[nn.Module]:
    """The BatchNorm layers of a module."""
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            yield layer


def freeze_batch_norm(module: nn.Module) -> None:
    """Put every BatchNorm layer of a module into evaluation mode."""
    for layer in batch_norms(module):
        layer.eval()
