"""The split classifier: a network in two parts, features and head, for CAM methods."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from wsss.models.affinity_heads import AffinityHeads
from wsss.models.backbones import Backbone
from wsss.models.class_pair_heads import PairHeads


class LinearHead(nn.Module):
    """Global average pooling and one linear layer, whose weights are the CAM's (Zhou et al. 2016).

    Without a bias by default, as in IRN and ReCAM.
    """

    def __init__(self, num_features: int, num_classes: int, bias: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(num_features, num_classes, bias=bias)

    @classmethod
    def sharing(cls, layer: nn.Linear | nn.Conv2d) -> "LinearHead":
        """A head with the weights of a linear layer or a 1 × 1 convolution, without gradients."""
        weight, bias = layer.weight.detach().flatten(1), layer.bias
        with torch.device("meta"):  # No random initialisation.
            head = cls(weight.shape[1], weight.shape[0], bias is not None)
        state = {"linear.weight": weight} | ({} if bias is None else {"linear.bias": bias.detach()})
        head.load_state_dict(state, assign=True)
        return head.requires_grad_(False)

    @property
    def weight(self) -> Float[Tensor, "c k"]:
        """Weight of every feature for every class."""
        return self.linear.weight

    @property
    def bias(self) -> Float[Tensor, " c"] | None:
        """Bias of every class; None where there is none."""
        return self.linear.bias

    @property
    def num_classes(self) -> int:
        """Number of classes C."""
        return self.linear.out_features

    def forward(self, features: Float[Tensor, "b k h w"]) -> Float[Tensor, "b c"]:
        """Logits of a feature map."""
        return self.linear(features.mean(dim=(2, 3)))  # type: ignore[no-any-return]


class SplitClassifier(nn.Module):
    """A classifier `head(features(images))` of RGB images in [0, 1].

    In the pipeline a `Backbone` with a `LinearHead`; in `wsss explain` also any timm or torchvision
    classifier, cut behind its last feature map.
    """

    def __init__(self, features: nn.Module, head: nn.Module, multi_label: bool = True) -> None:
        """Put the two parts together.

        Args:
            features: images [B, 3, H, W] in [0, 1] to a feature map [B, K, h, w].
            head: a feature map to logits [B, C]; has `num_classes`.
            multi_label: whether probabilities are sigmoids of the logits, instead of a soft-max
                over the classes.
        """
        super().__init__()
        self.features = features
        self.head = head
        self.multi_label = multi_label
        self.pair_heads: PairHeads | None = None
        self.affinity_heads: AffinityHeads | None = None

    @classmethod
    def linear(cls, backbone: Backbone, num_classes: int, bias: bool = False) -> "SplitClassifier":
        """A multi-label classifier of a backbone and a new `LinearHead`.

        The head's weights are drawn from torch's global generator.
        """
        return cls(backbone, LinearHead(backbone.num_features, num_classes, bias))

    @property
    def num_classes(self) -> int:
        """Number of classes C."""
        return int(self.head.num_classes)  # type: ignore[arg-type]

    @property
    def inner_layers(self) -> Mapping[str, nn.Module]:
        """The backbone's modules with feature maps as outputs, by name, shallow to deep."""
        return getattr(self.features, "inner_layers", {})

    @property
    def networks(self) -> Sequence[nn.Module]:
        """The networks whose channels, one behind the other, are the feature map; mostly one."""
        return getattr(self.features, "parts", [self.features])

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b c"]:
        """Logits of RGB images in [0, 1]."""
        return self.head(self.features(images))  # type: ignore[no-any-return]

    def log_probabilities(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b c"]:
        """Logarithms of the probabilities of each class, of RGB images in [0, 1]."""
        logits = self(images)
        return F.logsigmoid(logits) if self.multi_label else logits.log_softmax(dim=-1)

    def probabilities(self, logits: Float[Tensor, "*b c"]) -> Float[Tensor, "*b c"]:
        """Probability of each class: sigmoid for several labels an image, soft-max for one."""
        return logits.sigmoid() if self.multi_label else logits.softmax(dim=-1)
