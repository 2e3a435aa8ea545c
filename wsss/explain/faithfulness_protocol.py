"""Faithfulness of a method's maps to a classifier, by probabilities of masked images."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from wsss.cams.core.masking import mean_colour
from wsss.cams.core.method import CamMethod
from wsss.cams.core.postprocess import normalise_minmax, resize
from wsss.explain.counted_passes import CountedNetwork, Tell, images_per_pass, to_nobody
from wsss.metrics.explanation.adcc import coherency, complexity
from wsss.metrics.explanation.deletion_insertion import (
    RISE_STEP_PX,
    area_below,
    num_steps,
    replacement_curve,
)
from wsss.metrics.explanation.replacement_images import Blur, MeanColour, Substrate, blend
from wsss.models.classifier import SplitClassifier

ClassRule = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From probabilities [b, c] and tags [b, c] to the explained class of each pair and its image."""


def predicted_class(
    probabilities: Float[Tensor, "b c"], _tags: Bool[Tensor, "b c"]
) -> tuple[Int64[Tensor, " p"], Int64[Tensor, " p"]]:
    """Explain the most probable class, as ADCC's authors do.

    Returns:
        image and class of each pair, one pair an image.
    """
    return torch.arange(len(probabilities), device=probabilities.device), probabilities.argmax(1)


def labelled_classes(
    _probabilities: Float[Tensor, "b c"], tags: Bool[Tensor, "b c"]
) -> tuple[Int64[Tensor, " p"], Int64[Tensor, " p"]]:
    """Explain every tag of an image, as Recipro-CAM's authors do.

    Returns:
        image and class of each pair; images without tags have none.
    """
    images, classes = tags.nonzero(as_tuple=True)
    return images, classes


@dataclass(frozen=True, slots=True)
class PairScores:
    """Scores of n pairs of image and class, in [0, 1]."""

    whole: Float[Tensor, " n"]
    """Probability on the image, Y."""
    kept: Float[Tensor, " n"]
    """Probability on the image times its map, O."""
    deleted: Float[Tensor, " n"]
    """Probability on the image times one minus its map, D."""
    complexity: Float[Tensor, " n"]
    coherency: Float[Tensor, " n"]
    deletion: Float[Tensor, " n"] | None = None
    """Area below the deletion curve; None where it was not measured."""
    insertion: Float[Tensor, " n"] | None = None
    """Area below the insertion curve; None where it was not measured."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """Evaluation protocol; the defaults are those of ADCC's authors."""

    class_rule: ClassRule = predicted_class
    fill: Substrate | None = None
    """Fills masked pixels; None is the colour that is 0 in normalised space."""
    rectify: bool = True
    """Whether negative values of maps are dropped before maps are stretched to [0, 1]."""
    own_resolution: bool = False
    """Whether complexity, coherency and curves look at maps of the feature map's size, and not of
    the image's: as Recipro-CAM's script does, whose curves then replace whole cells."""
    curves: bool = True
    """Whether to measure deletion and insertion, which take hundreds of passes an image."""
    step: int | None = None
    """Pixels (or cells) replaced between two points of a curve; None is RISE's 224 pixels, or one
    cell of a smaller map."""
    insertion_start: Substrate = Blur()  # noqa: RUF009  # It has no state that changes.
    """First image of the insertion curve."""
    batch_size: int | None = None
    """Images a forward pass; None: as many as `images_per_pass` tells."""


DEFAULT_PROTOCOL = Protocol()


def passes_of_pair(size: tuple[int, int], protocol: Protocol = DEFAULT_PROTOCOL) -> int:
    """Number of images that `judge` passes through the network for a pair of image and class.

    Both maps of a method count as one each. Curves replace pixels, not cells of a smaller map.

    Args:
        size: height and width of the image.
        protocol: of the evaluation, without `own_resolution`.
    """
    images = 5  # The image, kept and deleted, and the maps of the image and of what is kept.
    if protocol.curves:
        images += 2 * (num_steps(size[0] * size[1], protocol.step or RISE_STEP_PX) + 1)
    return images


@torch.no_grad()
def judge(
    model: SplitClassifier,
    method: CamMethod,
    images: Float[Tensor, "b 3 h w"],
    tags: Bool[Tensor, "b c"],
    protocol: Protocol = DEFAULT_PROTOCOL,
    tell: Tell = to_nobody,
) -> PairScores:
    """Scores of all pairs of image and class that the protocol's rule chooses.

    Args:
        model: the classifier, in evaluation mode.
        method: makes the maps.
        images: RGB in [0, 1].
        tags: multi-hot labels; any value where the rule looks at predictions.
        protocol: of the evaluation.
        tell: is told how far this is.
    """
    size = (images.shape[2], images.shape[3])
    batch_size = protocol.batch_size or images_per_pass(size, images.device)
    network = CountedNetwork(model, batch_size, tell)
    network.begin("probability")
    probabilities = model.probabilities(model(images))
    owners, classes = protocol.class_rule(probabilities, tags)
    network.passed(len(owners))
    if not len(owners):
        return PairScores(*(images.new_zeros(0) for _ in range(5)))
    shown = images[owners]
    fill = protocol.fill or MeanColour(mean_colour(model))
    hidden = fill(shown)

    network.begin("map")
    raw = network.maps(method, shown, classes)
    masks = unit_maps(raw, size, protocol.rectify)
    kept, deleted = blend(shown, masks, hidden), blend(shown, 1 - masks, hidden)
    network.begin("coherency")
    raw_of_kept = network.maps(method, kept, classes)
    judged_size = (raw.shape[1], raw.shape[2]) if protocol.own_resolution else size
    judged, judged_of_kept = (
        unit_maps(one, judged_size, protocol.rectify) for one in (raw, raw_of_kept)
    )
    network.begin("drop")
    scores = {
        "whole": probabilities[owners, classes],
        "kept": network.confidence(kept, classes),
        "deleted": network.confidence(deleted, classes),
        "complexity": complexity(judged),
        "coherency": coherency(judged, judged_of_kept),
    }
    if protocol.curves:
        start = protocol.insertion_start(shown)
        network.begin("deletion")
        scores["deletion"] = _areas(network, shown, hidden, judged, classes, protocol.step)
        network.begin("insertion")
        scores["insertion"] = _areas(network, start, shown, judged, classes, protocol.step)
    return PairScores(**scores)


def unit_maps(
    maps: Float[Tensor, "p h w"], size: tuple[int, int], rectify: bool = True
) -> Float[Tensor, "p H W"]:
    """Raw maps for showing and judging: resized, then stretched to [0, 1]; constant ones are 0.

    Args:
        maps: signed, at the method's resolution.
        size: height and width of the result.
        rectify: drop negative values first.
    """
    maps = maps.relu() if rectify else maps
    if maps.shape[1:] != size:
        maps = resize(maps[None], size)[0]
    return normalise_minmax(maps)


def _areas(
    network: CountedNetwork,
    starts: Float[Tensor, "p 3 H W"],
    finishes: Float[Tensor, "p 3 H W"],
    maps: Float[Tensor, "p h w"],
    classes: Int64[Tensor, " p"],
    step: int | None,
) -> Float[Tensor, " p"]:
    step = step or (RISE_STEP_PX if maps.shape[1:] == starts.shape[2:] else 1)

    def confidence_of(label: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda images: network.confidence(images, label.expand(len(images)))

    curves = [
        replacement_curve(confidence_of(label), start, finish, one, step, network.batch_size)
        for start, finish, one, label in zip(starts, finishes, maps, classes, strict=True)
    ]
    return torch.stack([area_below(curve) for curve in curves])
