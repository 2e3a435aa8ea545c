"""A vision transformer beside the classifier, which lends methods its attention."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from wsss.models.vit import VitBackbone


def second_network(network: VitBackbone | None) -> VitBackbone | None:
    """A network beside the classifier, itself and not a copy: in evaluation mode, frozen.

    Raises:
        ValueError: it is something else.
    """
    if network is None:
        return None
    if not isinstance(network, VitBackbone):
        raise ValueError(
            f"attention_network={network!r:.60}: expected a VitBackbone, whose architecture is "
            "`attention_network.name`"
        )
    return network.eval().requires_grad_(False)


def layer_numbers(layers: Sequence[int] | None) -> tuple[int, ...] | None:
    """Indices of layers as they were given; None for all.

    Raises:
        ValueError: they are no list of whole numbers.
    """
    if layers is None:
        return None
    if not isinstance(layers, Sequence) or not all(type(layer) is int for layer in layers):
        raise ValueError(f"layers={layers!r}: expected a list of whole numbers, such as [8, 9]")
    return tuple(layers)


def whole_patches(images: Float[Tensor, "b 3 H W"], patch_px: int) -> Float[Tensor, "b 3 H2 W2"]:
    """Images resized to the nearest whole number of patches; themselves where they have it."""
    size = [max(1, round(side / patch_px)) * patch_px for side in images.shape[2:]]
    if tuple(images.shape[2:]) == tuple(size):
        return images
    return F.interpolate(images, size, mode="bilinear", align_corners=False)
