"""Several networks as one backbone, whose feature maps stand side by side."""

from collections.abc import Mapping
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from wsss.errors import InvalidOptionError
from wsss.models.backbones import Backbone, TimmBackbone
from wsss.models.normalisation import Normalisation

JOINT = "+"
"""Between the names of the networks."""


class JoinedBackbones(Backbone):
    """Networks of timm that see the same images; their channels are one feature map.

    What one of them overlooks another may see. With a linear head the logits are the sums of those
    of linear heads on each network, trained as one; class activation maps likewise.
    """

    def __init__(
        self, name: str, weights: str | None = None, output_stride: int = 16, freeze: str = "none"
    ) -> None:
        """Build the networks.

        Args:
            name: timm's names of the architectures, with `+` between them.
            weights: of each: `package`, `hub`, or None for random weights.
            output_stride: image pixels per feature, 8, 16 or 32, of all.
            freeze: of each: see `TimmBackbone`.

        Raises:
            WsssError: there are no two names, or one that timm does not have; or weights are
                missing.
        """
        names = name.split(JOINT)
        if len(names) < 2 or len({*names}) < len(names):
            expected = "names of two or more different networks, such as resnet18+resnet50"
            raise InvalidOptionError("name", name, expected)
        super().__init__(name, output_stride, freeze)
        parts = [TimmBackbone(one, weights, output_stride, freeze) for one in names]
        self.network: SideBySide = SideBySide(parts)
        self.num_features = sum(part.num_features for part in parts)
        # Each network has its own behind this one.
        self.normalise = Normalisation([0.0] * 3, [1.0] * 3)

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b k h w"]:
        """Feature maps of RGB images in [0, 1], one network's channels behind another's."""
        return self.network(self.normalise(images))  # type: ignore[no-any-return]

    def freeze_parameters(self) -> None:
        """Freeze in each network what `freeze` names."""
        for part in self.parts:
            part.freeze = self.freeze
            part.freeze_parameters()

    @property
    def parts(self) -> list[TimmBackbone]:
        """The networks, in the order of their channels."""
        return [cast("TimmBackbone", part) for part in self.network]

    @property
    def inner_layers(self) -> Mapping[str, nn.Module]:
        """The inner layers of all, by network and name: `tf_efficientnet_lite0.blocks.4`."""
        return {
            f"{part.name}.{name}": layer
            for part in self.parts
            for name, layer in part.inner_layers.items()
        }


class SideBySide(nn.ModuleList):
    """The feature maps of several backbones, of one size, as one."""

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b k h w"]:
        """The channels of all, at `output_stride` pixels a cell."""
        return torch.cat([part(images) for part in self], dim=1)
