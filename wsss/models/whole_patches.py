"""Images of whole numbers of patches."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def whole_size(size: tuple[int, int], patch_px: int) -> tuple[int, int]:
    """The nearest height and width in pixels that are whole numbers of patches."""
    height, width = (max(1, round(side / patch_px)) * patch_px for side in size)
    return height, width


def whole_patches(images: Float[Tensor, "b 3 H W"], patch_px: int) -> Float[Tensor, "b 3 H2 W2"]:
    """Images resized to the nearest whole number of patches; unchanged if they have one."""
    size = (images.shape[2], images.shape[3])
    whole = whole_size(size, patch_px)
    if whole == size:
        return images
    return F.interpolate(images, whole, mode="bilinear", align_corners=False)
