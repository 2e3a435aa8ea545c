"""A head of texts: classes and backgrounds, each the embedding of what it is called."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class TextHead(nn.Module):
    """Scores of an image for texts, by cosines in the space that CLIP's two towers share.

    The image is the mean of its patch tokens, as in CLIP-ES (Lin et al. 2023), not the class token.
    All values are zeros until they are filled; nothing here is trained.
    """

    def __init__(
        self, num_features: int, num_classes: int, num_backgrounds: int, num_dimensions: int
    ) -> None:
        """Make room.

        Args:
            num_features: channels K of the feature map.
            num_classes: number of classes C.
            num_backgrounds: number of texts of background, 1 or more.
            num_dimensions: dimensions E of the shared space.
        """
        super().__init__()
        self.register_buffer("projection", torch.zeros(num_features, num_dimensions))
        self.register_buffer("classes", torch.zeros(num_classes, num_dimensions))
        self.register_buffer("backgrounds", torch.zeros(num_backgrounds, num_dimensions))
        self.register_buffer("scale", torch.ones(()))

    projection: Float[Tensor, "k e"]
    """From a token to the shared space."""
    classes: Float[Tensor, "c e"]
    """Of each class, of unit length."""
    backgrounds: Float[Tensor, "n e"]
    """Of each text of background, of unit length."""
    scale: Float[Tensor, ""]
    """What cosines are multiplied by: the inverse of CLIP's temperature."""

    @property
    def num_classes(self) -> int:
        """Number of classes C."""
        return len(self.classes)

    @property
    def options(self) -> dict[str, int]:
        """The arguments from which its like is made, besides features and classes."""
        return {
            "num_backgrounds": len(self.backgrounds), "num_dimensions": self.projection.shape[1],
        }  # fmt: skip

    def similarities(self, features: Float[Tensor, "b k h w"]) -> Float[Tensor, "b m"]:
        """CLIP's scores `s · cos(image, text)` of the C classes, then of the backgrounds."""
        image = F.normalize(features.mean(dim=(2, 3)) @ self.projection, dim=1)
        return self.scale * image @ torch.cat([self.classes, self.backgrounds]).T

    def forward(self, features: Float[Tensor, "b k h w"]) -> Float[Tensor, "b c"]:
        """Logits of each class against the backgrounds, `z_c - log Σ_n exp z_n`.

        Their sigmoid is the soft-max of the class among itself and the backgrounds; a soft-max over
        0 and the logits of some classes is CLIP's over those classes and the backgrounds.
        """
        scores = self.similarities(features)
        own, others = scores[:, : self.num_classes], scores[:, self.num_classes :]
        return own - others.logsumexp(dim=1, keepdim=True)
