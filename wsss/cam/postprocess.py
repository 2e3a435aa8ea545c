"""From raw maps to seeds: the steps that are the same for every method."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

MAX_EPSILON = 1e-5


def resize(maps: Float[Tensor, "b n h w"], size: tuple[int, int]) -> Float[Tensor, "b n h2 w2"]:
    """Bilinear resize to `size` (height, width), pixel centres aligned."""
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def normalise_max(maps: Float[Tensor, "n h w"]) -> Float[Tensor, "n h w"]:
    """Divide non-negative maps by their maximum + 1e-5, so that zero stays zero: `M / max M`.

    The normalisation of weakly-supervised seeds; min-max would lift the background.
    """
    return maps / (maps.amax(dim=(1, 2), keepdim=True) + MAX_EPSILON)


def normalise_minmax(maps: Float[Tensor, "n h w"]) -> Float[Tensor, "n h w"]:
    """Stretch maps to [0, 1]; a constant map becomes zeros. The normalisation of explanations."""
    low = maps.amin(dim=(1, 2), keepdim=True)
    span = maps.amax(dim=(1, 2), keepdim=True) - low
    return (maps - low) / span.where(span > 0, 1)
