"""Maps averaged over scales and mirror images, in batches of images of like size."""

from collections.abc import Sequence

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
    summed = [torch.zeros(classes.shape[1], *size, device=classes.device) for size in sizes]
    for images in pyramid:
        inputs = in_unit_range(images)
        maps = method(model, inputs, classes).relu()
        if flip:
            maps = maps + method(model, inputs.flip(-1), classes).relu().flip(-1)
        if method.shares_score:
            maps = maps * (images.shape[2] * images.shape[3])
        for total, image_maps, size in zip(summed, maps, sizes, strict=True):
            total += resize(image_maps[None].float(), size)[0]
    return [normalise_max(total) for total in summed]
