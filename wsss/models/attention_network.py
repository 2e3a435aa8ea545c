"""A second network whose attention a method uses: a vision transformer beside the classifier."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from wsss.errors import InvalidOptionError
from wsss.models.vit import VitBackbone


def second_network(network: object) -> VitBackbone | None:
    """The network itself, put into evaluation mode and frozen in place.

    Raises:
        InvalidOptionError: it is no `VitBackbone`.
    """
    if network is None:
        return None
    if not isinstance(network, VitBackbone):
        expected = "a VitBackbone, whose architecture is its `name`"
        raise InvalidOptionError("attention_network", network, expected)
    return network.eval().requires_grad_(False)


def whole_patches(images: Float[Tensor, "b 3 H W"], patch_px: int) -> Float[Tensor, "b 3 H2 W2"]:
    """Images resized to the nearest whole number of patches; unchanged if they have one."""
    size = [max(1, round(side / patch_px)) * patch_px for side in images.shape[2:]]
    if tuple(images.shape[2:]) == tuple(size):
        return images
    return F.interpolate(images, size, mode="bilinear", align_corners=False)
