"""IRN's heads: class boundaries and displacements (Ahn, Cho and Kwak, CVPR 2019)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

Size = tuple[int, int]
"""Height and width."""

BOUNDARY_CHANNELS = 32
BOUNDARY_GROUPS = 4

# Shape suffixes: B = batch, K = channels of an inner layer, H, W = output map.


class AffinityHeads(nn.Module):
    """Class boundaries and, optionally, displacements from inner layers of a frozen backbone."""

    def __init__(
        self, layers: Sequence[str], channels: Sequence[int], displacement_channels: int | None
    ) -> None:
        """Make heads with weights from torch's global generator.

        Args:
            layers: names of the inner layers, shallow to deep.
            channels: channels of each.
            displacement_channels: width of the displacement branch, a multiple of 4; the paper has
                256. None leaves the branch out.
        """
        super().__init__()
        self.layers = tuple(layers)
        self.channels = tuple(channels)
        self.displacement_channels = displacement_channels
        self.boundary = BoundaryBranch(channels)
        self.displacement = (
            None
            if displacement_channels is None
            else DisplacementBranch(channels, displacement_channels)
        )


class BoundaryBranch(nn.Module):
    """A 1×1 convolution of each layer, resized to one size, and one of their concatenation."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            normalised_convolution(number, BOUNDARY_CHANNELS, BOUNDARY_GROUPS)
            for number in channels
        )
        self.fuse = nn.Conv2d(BOUNDARY_CHANNELS * len(channels), 1, 1)

    def forward(self, maps: Sequence[Float[Tensor, "b _ _ _"]], size: Size) -> Tensor:
        """Logits [B, H, W] of a class boundary at each pixel of a map of `size`."""
        reduced = [branch(one) for branch, one in zip(self.branches, maps, strict=True)]
        fused: Tensor = self.fuse(torch.cat([resize(one, size) for one in reduced], dim=1))
        return fused[:, 0]


class DisplacementBranch(nn.Module):
    """Top-down fusion of the deepest three layers with the shallow ones, by 1×1 convolutions."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        num_shallow = max(0, len(channels) - 3)
        widths = [*(max(width // 4, width >> (num_shallow - i)) for i in range(num_shallow))]
        widths += [width] * (len(channels) - num_shallow)
        self.num_shallow = num_shallow
        self.branches = nn.ModuleList(
            normalised_convolution(number, own, groups_of(own))
            for number, own in zip(channels, widths, strict=True)
        )
        deep, shallow = sum(widths[num_shallow:]), sum(widths[:num_shallow])
        self.fuse_deep = normalised_convolution(deep, width, groups_of(width))
        self.fuse = nn.Sequential(
            normalised_convolution(shallow + width, width, groups_of(width)),
            nn.Conv2d(width, 2, 1, bias=False),
        )

    def forward(self, maps: Sequence[Float[Tensor, "b _ _ _"]], size: Size) -> Tensor:
        """Displacements [B, 2, H, W]: rows and columns from each pixel to its object's centre."""
        reduced = [branch(one) for branch, one in zip(self.branches, maps, strict=True)]
        shallow, deep = reduced[: self.num_shallow], reduced[self.num_shallow :]
        own_size = (deep[0].shape[2], deep[0].shape[3])
        fused = self.fuse_deep(torch.cat([resize(one, own_size) for one in deep], dim=1))
        pyramid = torch.cat([resize(one, size) for one in (*shallow, fused)], dim=1)
        return self.fuse(pyramid)  # type: ignore[no-any-return]


def normalised_convolution(num_in: int, num_out: int, groups: int) -> nn.Sequential:
    """1×1 convolution, GroupNorm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(num_in, num_out, 1, bias=False), nn.GroupNorm(groups, num_out), nn.ReLU()
    )


def groups_of(channels: int) -> int:
    """Groups of GroupNorm: the largest of 16, 8, … 1 that divides the channels."""
    return max(number for number in (16, 8, 4, 2, 1) if channels % number == 0)


def resize(maps: Float[Tensor, "b k _ _"], size: Size) -> Float[Tensor, "b k h w"]:
    """Bilinear interpolation, without aligned corners."""
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)
