"""Vision GNN as a backbone, and its own classifier for ImageNet."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from wsss.argument_checks import check_choice
from wsss.errors import InvalidOptionError
from wsss.models.backbones import Backbone
from wsss.models.classifier import SplitClassifier
from wsss.models.hub import HUB_WEIGHTS
from wsss.models.normalisation import Normalisation
from wsss.models.vision_gnn.graph import Graph
from wsss.models.vision_gnn.network import Architecture, VisionGnn, isotropic, pyramid
from wsss.models.weights import PACKAGE_WEIGHTS, load_state_dict, load_trunk, refused_weights

ARCHITECTURES: Mapping[str, Architecture] = {
    "vig_mini": isotropic(96, 6, strides=3),
    "vig_tiny": isotropic(192, 12),
    "vig_small": isotropic(320, 16),
    "vig_base": isotropic(640, 16),
    "pvig_tiny": pyramid((48, 96, 240, 384), (2, 2, 6, 2)),
    "pvig_small": pyramid((80, 160, 400, 640), (2, 2, 6, 2)),
}
"""The published networks, and `vig_mini`, ours: small enough to learn from nothing on a CPU."""

HEAD_WIDTH = 1024


class VisionGnnBackbone(Backbone):
    """A Vision GNN whose last vertices are the feature map, and which returns its graphs.

    Module names are those of the released checkpoints. Their untrained `relative_pos` is skipped
    and computed instead.
    """

    stem = ("stem",)
    side_px = 224
    """Side of the square images that the released networks were trained on."""

    def __init__(
        self,
        name: str,
        weights: str | None = None,
        output_stride: int | None = None,
        freeze: str = "none",
        train_batch_norm: bool = False,
    ) -> None:
        """Build the network.

        Args:
            name: `vig_mini`, `vig_tiny`, `vig_small`, `vig_base`, `pvig_tiny` or `pvig_small`.
            weights: a released checkpoint or another file; None for random weights.
            output_stride: image pixels per feature: 16 for `vig_…` (8 for `vig_mini`), 32 or 16 for
                `pvig_…`; None for the published network's.
            freeze: `none`, `stem` (the first convolutions), `backbone` (everything), or the name of
                an inner layer, such as `backbone.3`: everything up to it.
            train_batch_norm: whether BatchNorm normalises batches in training and learns their
                statistics, as a network needs that begins with random weights.

        Raises:
            ValueError: there is no such network, or it cannot have the output stride.
            WsssError: the weights are missing or belong to another network.
        """
        check_choice([*ARCHITECTURES], name=name)
        architecture = ARCHITECTURES[name]
        is_pyramid = len(architecture.widths) > 1
        strides = (32, 16) if is_pyramid else (2 ** len(architecture.stem),)
        stride = strides[0] if output_stride is None else output_stride
        if stride not in strides:
            expected = f"one of {', '.join(map(str, strides))} for {name}"
            raise InvalidOptionError("output_stride", stride, expected)
        super().__init__(name, stride, freeze)
        self.network: VisionGnn = VisionGnn(architecture, keep_last_stride=stride == strides[0])
        if weights is not None:
            _load(self.network, load_checkpoint(name, weights), weights)
        self.num_features = architecture.widths[-1]
        self.normalise = Normalisation([0.5] * 3, [0.5] * 3)
        self.train_batch_norm = train_batch_norm
        self.freeze_parameters()

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b k h w"]:
        """Feature map of RGB images in [0, 1], `output_stride` pixels a cell."""
        return self.network(self.normalise(images))  # type: ignore[no-any-return]

    def forward_with_graph(self, images: Float[Tensor, "b 3 H W"]) -> tuple[Tensor, list[Graph]]:
        """Feature map [B, K, h, w] and the graph of every block, shallow to deep."""
        return self.network.forward_with_graph(self.normalise(images))

    @property
    def inner_layers(self) -> Mapping[str, nn.Module]:
        """Every block, by the name of its module: `backbone.3`."""
        return dict(self.network.blocks())


class VisionGnnHead(nn.Module):
    """The published head: pooling, a hidden layer of 1,024 with BatchNorm and GELU, then classes.

    It is not linear in the feature map, so plain CAM does not apply to it.
    """

    def __init__(self, num_features: int, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.prediction = nn.Sequential(
            nn.Conv2d(num_features, HEAD_WIDTH, 1),
            nn.BatchNorm2d(HEAD_WIDTH),
            nn.GELU(),
            nn.Dropout(0.0),
            nn.Conv2d(HEAD_WIDTH, num_classes, 1),
        )

    def forward(self, features: Float[Tensor, "b k h w"]) -> Float[Tensor, "b c"]:
        """Logits of a feature map."""
        return self.prediction(features.mean(dim=(2, 3), keepdim=True)).flatten(1)  # type: ignore[no-any-return]


def load_vision_gnn_classifier(
    name: str, weights: str, output_stride: int | None = None
) -> SplitClassifier:
    """A released checkpoint with its own head: a single-label classifier.

    Args:
        name: of the network, such as `vig_tiny`.
        weights: the checkpoint's path.
        output_stride: as in `VisionGnnBackbone`.

    Raises:
        InvalidOptionError: the file is missing or belongs to another network.
    """
    state = load_checkpoint(name, weights)
    last = state.get("prediction.4.bias")
    if last is None:
        raise refused_weights(
            weights,
            "a checkpoint without a head (`prediction.4.bias`)",
            "a released classifier with its head",
            "Use it for a VisionGnnBackbone instead, with a new linear head.",
        )
    backbone = VisionGnnBackbone(name, None, output_stride)
    head = VisionGnnHead(backbone.num_features, len(last))
    _load(backbone.network, state, weights)
    _load(head, state, weights)
    return SplitClassifier(backbone, head, multi_label=False)


def load_checkpoint(name: str, weights: str) -> dict[str, torch.Tensor]:
    """Parameters of a released checkpoint, never unpickling code.

    Args:
        name: of the network.
        weights: the checkpoint's path.

    Raises:
        InvalidOptionError: there is no such file, or it holds no plain tensors.
    """
    if weights in (HUB_WEIGHTS, PACKAGE_WEIGHTS):
        raise refused_weights(
            weights,
            f"no hub or package carries weights of {name}",
            "a file",
            "Download the checkpoint that huawei-noah/Efficient-AI-Backbones releases, and name "
            "its path.",
        )
    state = load_state_dict(name, weights)
    # `DataParallel` prefixes names with `module.`.
    return {key.removeprefix("module."): value for key, value in state.items()}


def _load(network: nn.Module, state: Mapping[str, Tensor], weights: str) -> None:
    load_trunk(network, state, weights, "the released checkpoints' names")
