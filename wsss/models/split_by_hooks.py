"""Any network as a split classifier, by forward hooks on one of its layers, without tracing."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from wsss.errors import user_error
from wsss.models.classifier import LinearHead, SplitClassifier
from wsss.models.last_feature_map import Layer, LayerCall, inner_layers
from wsss.models.normalisation import Normalisation


class _Reached(BaseException):
    """Ends a forward pass at the layer; a BaseException, as networks may catch `Exception`."""

    def __init__(self, features: Tensor) -> None:
        self.features = features


class HookedFeatures(nn.Module):
    """A network up to one of its layers: the forward pass ends at the layer's output."""

    def __init__(
        self,
        network: nn.Module,
        layer: Layer,
        normalise: Normalisation,
        inner: Mapping[str, nn.Module],
    ) -> None:
        """Describe the part.

        Args:
            network: normalised images to logits.
            layer: whose output is the feature map.
            normalise: the statistics that images are normalised by.
            inner: layers with feature maps as outputs, by name, shallow to deep.
        """
        super().__init__()
        self.network = network
        self.layer = layer
        self.normalise = normalise
        self.inner_layers = dict(inner)
        self.inputs: Tensor | None = None
        """The normalised images of the last forward pass."""

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b k h w"]:
        """Feature map of the images.

        Raises:
            WsssError: the layer does not run on these images.
        """

        def stop(output: Tensor) -> Tensor:
            raise _Reached(output)

        normalised = self.normalise(images)
        self.inputs = normalised.detach()
        try:
            with self.layer.hooked(stop):
                self.network(normalised)
        except _Reached as reached:
            return reached.features.movedim(-1, 1) if self.layer.turned else reached.features
        raise user_error(
            "layer",
            f"`{self.layer.name}` does not run on every image that the method shows the network",
            "a layer that all images pass",
            "Name an earlier one by `layer=`, or choose another method, such as `gradcam`.",
        )


class HookedHead(nn.Module):
    """A network from the output of a layer to its logits.

    The whole network runs, on the last images of its features, with the layer's output replaced.
    """

    def __init__(self, features: HookedFeatures, num_classes: int) -> None:
        super().__init__()
        # Not a sub-module: its parameters are the features' already.
        self._features = (features,)
        self.num_classes = num_classes

    def forward(self, features: Float[Tensor, "b k h w"]) -> Float[Tensor, "b c"]:
        """Logits of feature maps; if the batch size differs from the images', of the first image.

        The image matters only to networks with a path around the layer.
        """
        (front,) = self._features
        assert front.inputs is not None
        images = front.inputs
        if len(images) != len(features):
            images = images[:1].expand(len(features), -1, -1, -1)
        replacement = features.movedim(1, -1) if front.layer.turned else features
        with front.layer.hooked(lambda _output: replacement):
            return logits_of(front.network(images))


def hooked(
    network: nn.Module,
    layer: Layer,
    calls: Sequence[LayerCall],
    image: Float[Tensor, "1 3 H W"],
    normalise: Normalisation,
    num_classes: int,
) -> SplitClassifier:
    """A network as a single-label classifier of two parts, which share all its modules.

    A head of global average pooling and one linear layer becomes a `LinearHead`.

    Args:
        network: normalised images to logits, in evaluation mode.
        layer: whose output is the feature map.
        calls: of the network's modules, as they ran on the image.
        image: the one of the calls.
        normalise: the statistics that images are normalised by.
        num_classes: number of its logits.
    """
    inner = inner_layers(calls, (image.shape[2], image.shape[3]))
    front = HookedFeatures(network, layer, normalise, inner)
    head = HookedHead(front, num_classes)
    linear = _linear_head(head, front(image), calls)
    return SplitClassifier(front, linear or head, multi_label=False).eval()


def logits_of(output: Any) -> Float[Tensor, "b c"]:
    """The logits in a classifier's output: the tensor itself, or its attribute `logits`.

    Raises:
        WsssError: there are none.
    """
    logits = output if isinstance(output, Tensor) else getattr(output, "logits", None)
    if isinstance(logits, Tensor) and logits.ndim == 2:
        return logits
    shown = list(logits.shape) if isinstance(logits, Tensor) else type(output).__name__
    raise user_error(
        "model",
        f"the network gives {shown}",
        "logits [B, C] of a classifier, one number for each image and class",
        "Wrap it in a module whose `forward` returns the logits.",
    )


def _linear_head(
    head: HookedHead, features: Float[Tensor, "1 k h w"], calls: Sequence[LayerCall]
) -> LinearHead | None:
    """The `LinearHead` with the head's weights and outputs; None if it is another function.

    Both are compared on the same random features, to a relative tolerance of √ε, far above
    rounding.
    """
    (front,) = head._features
    last = next(i for i in range(len(calls), 0, -1) if calls[i - 1].name == front.layer.name)
    layers = [c.module for c in calls[last:] if isinstance(c.module, nn.Linear | nn.Conv2d)]
    if len(layers) != 1 or layers[0].weight.flatten(1).shape[1] != features.shape[1]:
        return None
    linear = LinearHead.sharing(layers[0])
    generator = torch.Generator().manual_seed(0)
    probe = torch.randn(features.shape, generator=generator).to(features)
    probe += torch.randn(features.shape[1], 1, 1, generator=generator).to(features)
    with torch.no_grad():
        expected, found = head(probe).float(), linear(probe).float()
    if found.shape != expected.shape:
        return None
    tolerance = torch.finfo(features.dtype).eps ** 0.5 * float(found.norm())
    return linear if float((found - expected).norm()) <= tolerance else None
