"""Maps averaged over scales and mirror images, in batches of images of like size."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from wsss.cams.core.method import CamMethod
from wsss.cams.core.postprocess import normalise_max, resize
from wsss.data.colours import in_unit_range
from wsss.models.classifier import SplitClassifier


def multiscale_maps(
    model: SplitClassifier,
    method: CamMethod,
    pyramid: Sequence[UInt8[Tensor, "b 3 _ _"]],
    classes: Int64[Tensor, "b n"],
    sizes: Sequence[tuple[int, int]],
    flip: bool = True,
) -> list[Float[Tensor, "n _ _"]]:
    """Seed maps in [0, 1]: ReLU, flip back and resize each pass; sum; divide by the maximum.

    The order is that of IRN and ReCAM (Chen et al. 2022), whose eight passes are the scales
    1, 0.5, 1.5 and 2 with their mirror images. Values that are shares of a score (`shares_score`)
    are multiplied by the number of pixels first, so that all scales have equal weight.

    Args:
        model: the classifier, in evaluation mode.
        method: computes the raw maps.
        pyramid: the batch of RGB images at every scale.
        classes: class indices 0…C-1 of each image.
        sizes: height and width of each image's result.
        flip: whether every scale is also seen mirrored.
    """
    scales = maps_of_scales(model, method, pyramid, classes, sizes, flip)
    return [summed(of_image) for of_image in zip(*scales, strict=True)]


def maps_of_scales(
    model: SplitClassifier,
    method: CamMethod,
    pyramid: Sequence[UInt8[Tensor, "b 3 _ _"]],
    classes: Int64[Tensor, "b n"],
    sizes: Sequence[tuple[int, int]],
    flip: bool = True,
) -> Iterator[list[Float[Tensor, "n _ _"]]]:
    """Yield the maps of every image, not negative, at one scale after the other.

    Arguments as those of `multiscale_maps`.
    """
    for images in pyramid:
        inputs = in_unit_range(images)
        maps = method(model, inputs, classes).relu()
        if flip:
            maps = maps + method(model, inputs.flip(-1), classes).relu().flip(-1)
        if method.shares_score:
            maps = maps * (images.shape[2] * images.shape[3])
        yield [
            resize(image_maps[None].float(), size)[0]
            for image_maps, size in zip(maps, sizes, strict=True)
        ]


def summed(scales: Sequence[Float[Tensor, "n h w"]]) -> Float[Tensor, "n h w"]:
    """The maps of all scales of an image added up and divided by their maximum, in [0, 1]."""
    total = torch.zeros_like(scales[0])
    for maps in scales:
        total += maps
    return normalise_max(total)


def scale_agreement(scales: Sequence[Float[Tensor, "n h w"]]) -> Float[Tensor, " n"]:
    """How much the maps of each class agree at all scales, in [0, 1].

    `Σ min_s m_s / Σ max_s m_s` over the pixels, with `m_s` divided by its maximum: the intersection
    over union of fuzzy sets (Ruzicka 1958). 1 where all scales give the same map up to a factor; 0
    where no pixel is part of all of them, and where there is no map at all.

    Args:
        scales: the maps of an image at each of two scales or more, not negative.
    """
    every = torch.stack([normalise_max(maps) for maps in scales])
    shared, any_ = (extreme.sum(dim=(-2, -1)) for extreme in (every.amin(dim=0), every.amax(dim=0)))
    return shared / any_.where(any_ > 0, 1)
