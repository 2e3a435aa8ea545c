"""An image as a segmenter labels it, and the evidence for its regions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from wsss.cams.core.postprocess import normalise_minmax, resize
from wsss.data.colours import in_unit_range
from wsss.data.datasets import to_tensor
from wsss.data.images import read_rgb
from wsss.data.pyramids import Scales, Size, rescale
from wsss.data.sample import BACKGROUND_LABEL
from wsss.errors import Problem, Severity
from wsss.explain.class_choice import ClassChoice
from wsss.explain.explained_classifier import MAX_SIDE_PX
from wsss.explain.explainer import shown_size
from wsss.explain.segments.regions import region_mask
from wsss.explain.segments.seg_gradcam import ENCODER, seg_gradcam
from wsss.models.segmenter import Segmenter


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a class in a region."""

    label: int
    """0 background, 1…C classes."""
    heat: Float[np.ndarray, "h w"]
    """In [0, 1]; all 0 where nothing speaks for the class."""
    region: Bool[np.ndarray, "H W"]
    """The explained pixels, of the image as the network sees it."""
    probability: float
    """Of the class, the mean over the region."""


@dataclass(frozen=True, slots=True)
class ExplainedSegments:
    """A segmented image with its evidence."""

    image: UInt8[np.ndarray, "h w 3"]
    labels: UInt8[np.ndarray, "H W"]
    """Predicted, of the image as the network sees it."""
    evidence: Sequence[Evidence]
    problems: Sequence[Problem]
    """Classes that were left out, with reasons."""


@dataclass(frozen=True, slots=True)
class SegmentExplainer:
    """A segmenter, and what is asked about its labels."""

    segmenter: Segmenter
    names: tuple[str, ...]
    """Of background and the C classes."""
    choice: ClassChoice
    """By labels; `predicted` are the classes that have pixels, `topN` those with most of them."""
    region: tuple[int, ...] = ()
    """A box or a point in pixels of the image; empty for the pixels that are labelled as a class"""
    layer: str = ENCODER
    short_side_px: int | None = None
    """Shorter side of the image as it is seen; None keeps the image's."""
    device: str = "cpu"

    @torch.no_grad()
    def explain(self, path: Path) -> ExplainedSegments:
        """Explain an image file.

        Raises:
            WsssError: the image cannot be read, or the region or layer is none of it.
        """
        image = read_rgb(path)
        size = (image.shape[0], image.shape[1])
        self.segmenter.to(self.device)
        seen = in_unit_range(to_tensor(rescale(image, self._seen_at(size)))[None].to(self.device))
        probabilities = self.segmenter(seen)[0].softmax(dim=0)
        labels = probabilities.argmax(dim=0).cpu().numpy().astype(np.uint8)
        chosen, regions, problems = self._asked(path, size, labels)
        if not chosen:
            return ExplainedSegments(image, labels, (), problems)
        masks = [torch.from_numpy(one).to(seen.device) for one in regions]
        raw = seg_gradcam(self.segmenter, seen, chosen, masks, self.layer)
        maps = normalise_minmax(resize(raw[None], shown_size(image))[0]).cpu().numpy()
        evidence = [
            Evidence(label, heat, region, float(probabilities[label][mask].mean()))
            for label, heat, region, mask in zip(chosen, maps, regions, masks, strict=True)
        ]
        return ExplainedSegments(image, labels, evidence, problems)

    def _seen_at(self, size: Size) -> Size:
        """Height and width at which an image is seen."""
        zoom = 1.0 if self.short_side_px is None else self.short_side_px / min(size)
        zoom = min(zoom, MAX_SIDE_PX / max(size))
        scales = Scales((zoom,), self.segmenter.output_stride, max(*size, MAX_SIDE_PX))
        return scales.sizes(size)[0]

    def _asked(
        self, path: Path, size: Size, labels: UInt8[np.ndarray, "H W"]
    ) -> tuple[list[int], list[Bool[np.ndarray, "H W"]], list[Problem]]:
        """The labels to explain, each with its region; and those that have none."""
        if self.region:
            here = region_mask(self.region, size, (labels.shape[0], labels.shape[1]))
            chosen = self._labels(labels[here], with_background=True)
            return chosen, [here] * len(chosen), []
        found = self._labels(labels, with_background=False)
        problems = [_not_there(path, self.names[one]) for one in found if not (labels == one).any()]
        chosen = [label for label in found if (labels == label).any()]
        if not chosen and not problems:
            problems.append(_nothing(path))
        return chosen, [labels == label for label in chosen], problems

    def _labels(self, labels: UInt8[np.ndarray, "*_"], *, with_background: bool) -> list[int]:
        """The labels that the choice means: named ones, then those of most pixels.

        Args:
            labels: of the pixels in question.
            with_background: whether a rule may choose background.
        """
        counts = np.bincount(labels.ravel(), minlength=len(self.names))
        if not with_background:
            counts[BACKGROUND_LABEL] = 0
        ranked = [int(one) for one in np.argsort(-counts, kind="stable") if counts[one]]
        choice = self.choice
        if not (choice.named or choice.top or choice.predicted):
            choice = ClassChoice(predicted=True)
        # Of a region the label that most of its pixels have, of an image all that it has.
        predicted = ranked[:1] if with_background else ranked
        rule = predicted if choice.predicted else []
        return [*dict.fromkeys((*choice.named, *rule, *ranked[: choice.top]))]


def _not_there(path: Path, name: str) -> Problem:
    return Problem(
        str(path), f"no pixel is labelled as {name}", "a class that the segmenter finds in it",
        "Ask about a region: `region=x,y` or `region=left,top,right,bottom`.", Severity.SKIPPED,
    )  # fmt: skip


def _nothing(path: Path) -> Problem:
    return Problem(
        str(path), "all of it is labelled as background", "an image with a class in it",
        "Name a class and a region, `classes=dog region=x,y`, to ask why it is not there.",
        Severity.SKIPPED,
    )  # fmt: skip
