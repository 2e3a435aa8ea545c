"""Faithfulness scores of an image's maps."""

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from wsss.cams.core.method import CamMethod
from wsss.data.pyramids import Size
from wsss.explain.counted_passes import Tell
from wsss.explain.faithfulness_protocol import Protocol, judge, passes_of_pair
from wsss.metrics.explanation.adcc import adcc
from wsss.metrics.explanation.confidence import drop, drop_in_deletion, increase
from wsss.metrics.explanation.deletion_insertion import RISE_STEP_PX
from wsss.metrics.explanation.replacement_images import Blur
from wsss.models.classifier import SplitClassifier

INSERTION_START = Blur()
"""First image of the insertion curve."""


def described_protocol() -> dict[str, Any]:
    """The protocol of `faithfulness_scores`, for `scores.json`."""
    blur = INSERTION_START
    return {
        "class_rule": "every class that is explained",
        "fill": "the colour that is 0 in normalised space",
        "insertion_start": f"Gaussian blur of {blur.kernel_px} px, sigma {blur.sigma_px:g} px",
        "step_px": RISE_STEP_PX,
    }


def faithfulness_passes(size: Size) -> int:
    """Number of images that a map of an image of `size` takes through the network."""
    return passes_of_pair(size, Protocol(step=RISE_STEP_PX))


def faithfulness_scores(
    model: SplitClassifier,
    method: CamMethod,
    image: Float[Tensor, "1 3 h w"],
    classes: Int64[Tensor, " n"],
    tell: Tell,
) -> list[dict[str, float | None]]:
    """Drop, increase, ADCC, deletion and insertion of each class's map, by ADCC's and RISE's rules.

    Maps are the method's own, of one pass: scales and mirror images stay out of the figures. Ratios
    to a probability near zero are None.

    Args:
        model: the classifier, in evaluation mode.
        method: makes the maps.
        image: RGB in [0, 1].
        classes: class indices 0…C-1.
        tell: is told how far this is.
    """

    def chosen(probabilities: Tensor, _tags: Tensor) -> tuple[Tensor, Tensor]:
        device = probabilities.device
        return torch.zeros(len(classes), dtype=torch.long, device=device), classes.to(device)

    no_tags = torch.zeros(1, model.num_classes, dtype=torch.bool, device=image.device)
    protocol = Protocol(class_rule=chosen, insertion_start=INSERTION_START, step=RISE_STEP_PX)
    pairs = judge(model, method, image, no_tags, protocol, tell)
    drops = drop(pairs.whole, pairs.kept)
    columns = {
        "drop": drops,
        "increase": increase(pairs.whole, pairs.kept),
        "drop_in_deletion": drop_in_deletion(pairs.whole, pairs.deleted),
        "complexity": pairs.complexity,
        "coherency": pairs.coherency,
        "adcc": adcc(drops, pairs.coherency, pairs.complexity),
        "deletion": pairs.deletion,
        "insertion": pairs.insertion,
    }
    return [
        {
            name: None if values[index].isnan() else float(values[index])
            for name, values in columns.items()
            if values is not None
        }
        for index in range(len(classes))
    ]
