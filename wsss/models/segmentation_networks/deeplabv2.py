"""DeepLabV2, which segmentation-models-pytorch does not have.

Chen, Papandreou, Kokkinos, Murphy, Yuille, DeepLab: Semantic Image Segmentation with Deep
Convolutional Nets, Atrous Convolution, and Fully Connected CRFs, TPAMI 2018 (arXiv 2017).
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

RATES = (6, 12, 18, 24)
"""Dilations of the published large pyramid (ASPP-L), at 8 image pixels a cell."""
INITIAL_STD = 0.01
"""Of the convolutions' weights before training, as published."""


class AtrousPyramid(nn.Module):
    """Atrous spatial pyramid pooling of DeepLabV2: the sum of dilated 3×3 convolutions (sec. 3.2).

    That of DeepLabV3 is another one: it joins its branches, has BatchNorm and the image's mean.
    """

    def __init__(self, num_features: int, num_labels: int, rates: Sequence[int] = RATES) -> None:
        """Draw the weights of every branch; biases are 0.

        Args:
            num_features: channels K of the feature map.
            num_labels: channels of the scores.
            rates: dilation of each branch, in cells.
        """
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Conv2d(num_features, num_labels, 3, padding=rate, dilation=rate) for rate in rates
        )
        for branch in self.branches:
            assert isinstance(branch, nn.Conv2d)
            assert branch.bias is not None
            nn.init.normal_(branch.weight, std=INITIAL_STD)
            nn.init.zeros_(branch.bias)

    def forward(self, features: Sequence[Float[Tensor, "b _ _ _"]]) -> Float[Tensor, "b n h w"]:
        """Scores of an encoder's last feature map, at its size."""
        scores: Tensor = sum(branch(features[-1]) for branch in self.branches)
        return scores


class DeepLabV2(nn.Module):
    """A dilated encoder, the pyramid on its last feature map, and bilinear interpolation."""

    def __init__(
        self,
        encoder: nn.Module,
        num_features: int,
        num_labels: int,
        output_stride: int,
        rates: Sequence[int] = RATES,
    ) -> None:
        """Put the parts together.

        Args:
            encoder: images to feature maps, shallow to deep.
            num_features: channels K of its last feature map.
            num_labels: channels of the logits.
            output_stride: image pixels per cell of the last feature map.
            rates: see `AtrousPyramid`.
        """
        super().__init__()
        self.encoder = encoder
        self.decoder = AtrousPyramid(num_features, num_labels, rates)
        self.segmentation_head = nn.Upsample(
            scale_factor=output_stride, mode="bilinear", align_corners=False
        )

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b n H W"]:
        """Logits of normalised images whose sides are multiples of the output stride."""
        return self.segmentation_head(self.decoder(self.encoder(images)))  # type: ignore[no-any-return]
