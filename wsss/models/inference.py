"""Predictions of a segmenter averaged over scales and mirror images."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from wsss.data.colours import in_unit_range
from wsss.models.segmenter import Segmenter


def label_probabilities(
    segmenter: Segmenter,
    pyramid: Sequence[UInt8[Tensor, "b 3 _ _"]],
    sizes: Sequence[tuple[int, int]],
    flip: bool,
) -> list[Float[Tensor, "c1 _ _"]]:
    """Soft-max probabilities of background and C classes, averaged over all passes.

    Logits are resized before the soft-max, as DeepLab does.

    Args:
        segmenter: the network, in evaluation mode.
        pyramid: a batch of RGB images at every scale.
        sizes: height and width of each image's result.
        flip: whether mirror images are averaged in at every scale.
    """
    return [mean for _, mean in first_and_mean_probabilities(segmenter, pyramid, sizes, flip)]


@torch.no_grad()
def first_and_mean_probabilities(
    segmenter: Segmenter,
    pyramid: Sequence[UInt8[Tensor, "b 3 _ _"]],
    sizes: Sequence[tuple[int, int]],
    flip: bool,
) -> list[tuple[Float[Tensor, "c1 _ _"], Float[Tensor, "c1 _ _"]]]:
    """As `label_probabilities`, with those of the first scale alone, not mirrored, before them."""
    first: list[Tensor] = []
    summed: list[Tensor] = []
    for images in pyramid:
        inputs = in_unit_range(images)
        for mirrored in (False, True) if flip else (False,):
            logits = segmenter(inputs.flip(-1)).flip(-1) if mirrored else segmenter(inputs)
            is_first = not first
            for index, size in enumerate(sizes):
                one = F.interpolate(
                    logits[index][None].float(), size=size, mode="bilinear", align_corners=False
                )[0].softmax(dim=0)
                if is_first:
                    first.append(one)
                    summed.append(one)
                else:
                    summed[index] = summed[index] + one
    passes = len(pyramid) * (2 if flip else 1)
    return [(one, total / passes) for one, total in zip(first, summed, strict=True)]
