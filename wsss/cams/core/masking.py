"""Class probabilities of masked images, for methods that need no gradient."""

import torch
from jaxtyping import Float
from torch import Tensor

from wsss.cams.core.postprocess import normalise_minmax, resize
from wsss.models.classifier import SplitClassifier
from wsss.models.normalisation import Normalisation

PIXELS_PER_PASS = 2**19
"""Most image pixels in one forward pass, so that memory stays bounded: two images of 512 px."""


def image_masks(maps: Float[Tensor, "g h w"], size: tuple[int, int]) -> Float[Tensor, "g H W"]:
    """Masks in [0, 1] of maps: resized to `size` (height, width), then stretched."""
    return normalise_minmax(resize(maps[None], size)[0])


def mean_colour(model: SplitClassifier) -> Float[Tensor, "3 1 1"]:
    """The colour in [0, 1] that is zero once normalised: the mean of the training images.

    Black where `features` has no `Normalisation` called `normalise`, and takes colours as they are.
    """
    normalise = getattr(model.features, "normalise", None)
    return normalise.mean if isinstance(normalise, Normalisation) else torch.zeros(3, 1, 1)


def masked_probabilities(
    model: SplitClassifier,
    image: Float[Tensor, "3 H W"],
    background: Float[Tensor, "3 _ _"],
    maps: Float[Tensor, "g h w"],
) -> Float[Tensor, "g c"]:
    """Probability of every class in an image seen through masks, `p(x ⊙ m + b ⊙ (1 - m))`.

    Args:
        model: the classifier, in evaluation mode.
        image: RGB in [0, 1].
        background: shown where a mask is 0: an image, or one colour [3, 1, 1].
        maps: the masks before they are resized and stretched to [0, 1].
    """
    height, width = image.shape[1:]
    images_per_pass = max(1, PIXELS_PER_PASS // (height * width))
    probabilities = []
    for some in torch.split(maps, images_per_pass):
        masks = image_masks(some, (height, width))[:, None]
        seen = background + masks * (image - background)
        probabilities.append(model.probabilities(model(seen)))
    return torch.cat(probabilities)
