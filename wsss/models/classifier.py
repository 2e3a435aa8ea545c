"""The split classifier: the cut between features and head that every CAM method needs."""

from jaxtyping import Float
from torch import Tensor, nn

from wsss.models.backbones import Backbone


class LinearHead(nn.Module):
    """Global average pooling and one linear layer, whose weights are the CAM's (Zhou et al. 2016).

    Without a bias by default, as in IRN and ReCAM: a class must be explained by its features.
    """

    def __init__(self, num_features: int, num_classes: int, bias: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(num_features, num_classes, bias=bias)

    @property
    def weight(self) -> Float[Tensor, "c k"]:
        """Weight of every feature for every class."""
        return self.linear.weight

    def forward(self, features: Float[Tensor, "b k h w"]) -> Float[Tensor, "b c"]:
        """Logits of a feature map."""
        return self.linear(features.mean(dim=(2, 3)))  # type: ignore[no-any-return]


class SplitClassifier(nn.Module):
    """A multi-label classifier `head(features(images))`."""

    def __init__(self, backbone: Backbone, num_classes: int, bias: bool = False) -> None:
        """Put a linear head on a backbone; its weights are drawn from torch's global generator."""
        super().__init__()
        self.features = backbone
        self.head = LinearHead(backbone.num_features, num_classes, bias)

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b c"]:
        """Logits of RGB images in [0, 1]."""
        return self.head(self.features(images))  # type: ignore[no-any-return]
