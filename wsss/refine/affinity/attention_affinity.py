"""Affinity without training, from the attention of a vision transformer."""

from collections.abc import Sequence
from functools import lru_cache
from typing import cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from wsss.argument_checks import check_positive, check_whole, layer_numbers
from wsss.errors import UnsupportedError
from wsss.models import SplitClassifier, VitBackbone
from wsss.models.attention import patch_attention
from wsss.models.attention_network import second_network
from wsss.refine.affinity.colours import colour_similarity
from wsss.refine.affinity.paths import Offset, neighbour, pair_offsets
from wsss.refine.affinity.pixel_pair_affinity import PairAffinity, PixelRelations, grid_of

SHORTEST = 1e-6
"""Lower bound of a vector's length: shorter ones are rounding errors."""

# Shape suffixes: B = batch, N = patches, in raster order, H, W = map, K = `pair_offsets(radius)`.


class AttentionAffinity(PairAffinity):
    """Similarity of attention rows times a Gaussian of colours; our own method, nothing is learned.

    `A_ij = max(0, cos(r_i, r_j)) · exp(−|c_i − c_j|² / 2σ²)`. `r` of a patch is the square root of
    its attention to all patches, averaged over heads and layers, minus the mean over the image;
    uncentred, the cosine is the Bhattacharyya coefficient. At the resolution of the walk, `r` is
    interpolated bilinearly from the four nearest patches. `c` are the colours, which separate
    pixels within a patch.

    Attention comes from the classifier itself or, as in AD-CAM, from a second network on the same
    image. Images are processed one by one, as each head and layer takes N × N numbers for N
    patches: 1.0 GB with DeiT-S at 1024 × 1024 (measured on a CPU).
    """

    def __init__(
        self,
        radius: int = 5,
        attention_network: VitBackbone | None = None,
        layers: Sequence[int] | None = None,
        sigma_rgb: float | None = 30.0,
        centred: bool = True,
    ) -> None:
        """Set the terms of the affinity.

        Args:
            radius: pairs nearer than this, in pixels of the map.
            attention_network: a vision transformer beside the classifier; None for the classifier's
                own attention. It is frozen and put into evaluation mode in place.
            layers: of the attention, from 0, or negative from the end; None for all.
            sigma_rgb: standard deviation of colours, in RGB levels of 0…255; None leaves colours
                out.
            centred: subtract the mean over the image from the roots of attention.

        Raises:
            ValueError: network or layers are of another kind.
            WsssError: the radius is below 2, or the deviation not above 0.
        """
        check_whole(2, radius=radius)
        if sigma_rgb is not None:
            check_positive(sigma_rgb=sigma_rgb)
        self.radius = radius
        self.attention_network = second_network(attention_network)
        self.layers = layer_numbers(layers)
        self.sigma_rgb = sigma_rgb
        self.centred = centred

    def check(self, model: SplitClassifier) -> None:
        """Refuse a classifier without attention where there is no second network, and wrong layers.

        Raises:
            WsssError: names what has attention, or the layers there are.
        """
        features = model.features
        attends = isinstance(features, VitBackbone) and features.has_attention
        if self.attention_network is None and not attends:
            raise UnsupportedError(
                "AttentionAffinity",
                f"no attention_network beside a {type(model.features).__name__}, which pays no "
                "attention",
                "a vision transformer, whose layers pay attention between the image's patches",
                "Put one beside the classifier, or use FeatureAffinity, which needs none.",
                {"attention of patches"},
            )
        self._network(model).check_layers(self.layers)

    @torch.no_grad()
    def __call__(self, model: SplitClassifier, images: Float[Tensor, "b 3 H W"]) -> PixelRelations:
        """Affinities from attention and colours; no boundaries."""
        size = grid_of(images)
        network = self._network(model).to(images.device)
        affinity = torch.cat(
            [self._agreement(network, image, size) for image in torch.split(images, 1)]
        )
        if self.sigma_rgb is not None:
            colours = F.interpolate(images, size, mode="area")
            affinity = affinity * colour_similarity(colours, self.radius, self.sigma_rgb)
        return PixelRelations(affinity, images.new_zeros((len(images), *size)))

    def _agreement(
        self, network: VitBackbone, image: Float[Tensor, "b 3 H W"], size: tuple[int, int]
    ) -> Float[Tensor, "b k h w"]:
        """Cosines of attention between the pixels of maps of `size`."""
        _, attention = network.forward_with_attention(image, self.layers)
        products = agreement_products(attention, self.centred)
        return interpolated_cosine(products, network.grid(image), size, self.radius)

    def _network(self, model: SplitClassifier) -> VitBackbone:
        """The network whose attention is used."""
        if self.attention_network is not None:
            return self.attention_network
        return cast("VitBackbone", model.features)


def agreement_products(attention: Float[Tensor, "b t t"], centred: bool) -> Float[Tensor, "b N N"]:
    """Scalar products of the square roots of the patches' attention rows.

    Args:
        attention: of tokens, the class token first.
        centred: subtract the mean over the patches first; otherwise the products are
            Bhattacharyya coefficients.
    """
    roots = patch_attention(attention).sqrt()
    if centred:
        roots = roots - roots.mean(dim=1, keepdim=True)
    return roots @ roots.transpose(1, 2)


def interpolated_cosine(
    products: Float[Tensor, "b N N"], grid: tuple[int, int], size: tuple[int, int], radius: int
) -> Float[Tensor, "b k h w"]:
    """Cosine of the angle between every pixel's vector and its neighbours', where positive.

    It is 0 outside the map and for vectors of almost no length. A pixel's vector is interpolated
    bilinearly from those of the cells of `grid`, of which only the scalar products are needed: 16
    of them for a pair of pixels.

    Args:
        products: scalar products of the cells' vectors.
        grid: height and width in cells, N in all.
        size: height and width of the map.
        radius: pairs nearer than this, in pixels of the map.
    """
    cells, weights = _cells_there(grid, size, products.device, products.dtype)

    def product(offset: Offset) -> Float[Tensor, "b h w"]:
        others, their_weights = (neighbour(part, offset, 0) for part in (cells, weights))
        between = products[:, cells[:, None], others[None]]
        return (between * (weights[:, None] * their_weights[None])).sum(dim=(1, 2))

    length = product((0, 0)).clamp(min=SHORTEST**2).sqrt()
    pairs = [
        product(offset) / (length * neighbour(length, offset, 1)) for offset in pair_offsets(radius)
    ]
    return torch.stack(pairs, dim=1).clamp(0, 1)


@lru_cache(maxsize=4)
def _cells_there(
    grid: tuple[int, int], size: tuple[int, int], device: torch.device, dtype: torch.dtype
) -> tuple[Int64[Tensor, "4 h w"], Float[Tensor, "4 h w"]]:
    """Those on a device, copied once for all images of a size: a copy waits for the device."""
    cells, weights = nearest_cells(grid, size)
    return cells.to(device), weights.to(dtype).to(device)


def nearest_cells(
    grid: tuple[int, int], size: tuple[int, int]
) -> tuple[Int64[Tensor, "4 h w"], Float[Tensor, "4 h w"]]:
    """The four cells around each pixel, in raster order, and their bilinear weights."""
    (rows, down), (columns, right) = (
        _between(cells, pixels) for cells, pixels in zip(grid, size, strict=True)
    )
    cells = rows[:, None, :, None] * grid[1] + columns[None, :, None, :]
    weights = down[:, None, :, None] * right[None, :, None, :]
    return cells.flatten(0, 1), weights.flatten(0, 1)


def _between(cells: int, pixels: int) -> tuple[Int64[Tensor, "2 p"], Float[Tensor, "2 p"]]:
    """The two cells of a row around each pixel's centre, and their linear weights."""
    centres = (torch.arange(pixels, dtype=torch.float64) + 0.5) * cells / pixels - 0.5
    place = centres.clamp(0, cells - 1)
    low = place.floor()
    share = place - low
    ends = torch.stack([low, (low + 1).clamp(max=cells - 1)])
    return ends.long(), torch.stack([1 - share, share])
