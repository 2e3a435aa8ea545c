"""`wsss.load`: trained networks of finished stages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from wsss.api.image_reading import ImageLike, as_bytes, as_picture
from wsss.api.png import png
from wsss.artifacts import mark_of
from wsss.data.colours import in_unit_range
from wsss.data.datasets import to_tensor
from wsss.data.pyramids import Scales, rescale
from wsss.errors import user_error
from wsss.models.classifier import SplitClassifier
from wsss.models.inference import label_probabilities
from wsss.models.saved_classifier import load_finished
from wsss.models.saved_networks import (
    CLASSIFIER,
    PAIR_HEADS,
    SEGMENTER,
    load_segmenter,
    refuse_oracle,
)
from wsss.models.segmenter import Segmenter
from wsss.report.overlays import label_overlay
from wsss.report.panels import Panel

BACKGROUND = "background"


@dataclass(frozen=True)
class Segmentation:
    """The label of every pixel of an image."""

    labels: UInt8[np.ndarray, "h w"]
    """The most probable label: 0 background, 1…C classes."""
    probabilities: Float[np.ndarray, "c1 h w"] = field(repr=False)
    """Of background and C classes, float32, summing to 1 over them."""
    names: tuple[str, ...]
    """Of background and C classes: `names[label]`."""
    picture: UInt8[np.ndarray, "h w 3"] = field(repr=False)
    """The image."""

    def overlay(self) -> Image.Image:
        """The grey image with every object in the colour of its class."""
        return Image.fromarray(label_overlay(self.picture, self.labels))

    def _repr_png_(self) -> bytes:
        """The image and its labels side by side, for notebooks."""
        found = ", ".join(self.names[label] for label in np.unique(self.labels) if label)
        return png([Panel("image", self.picture), Panel(found, np.array(self.overlay()))])


@dataclass(frozen=True)
class LoadedSegmenter:
    """A segmentation network of a finished `segment` stage."""

    network: Segmenter = field(repr=False)
    """RGB in [0, 1] to logits of background and C classes; in evaluation mode."""
    names: tuple[str, ...]
    """Of background and the C classes, in the order of the logits."""
    folder: Path
    saw_masks: bool = False
    """Whether weights that were trained with masks had a part in what it learned."""

    @torch.no_grad()
    def predict(
        self, image: ImageLike, scales: Sequence[float] = (1.0,), flip: bool = False
    ) -> Segmentation:
        """The label of every pixel of an image, whose longer side is reduced to 1024 px.

        `wsss.dense_crf(image, found.probabilities)` refines what is found. Many images, and those
        that are seen in tiles, are a matter for the command `wsss predict`.

        Args:
            image: as for `wsss.cam`; floats are colours in [0, 1].
            scales: factors of the image's size, over which probabilities are averaged.
            flip: average mirror images, too.

        Raises:
            WsssError: the image cannot be read, or its floats are not in [0, 1].
            InvalidOptionError: there is no scale, or one is not above 0.
        """
        picture = as_bytes(as_picture(image))
        pyramid = _pyramid(picture, self.network.output_stride, self.network, scales)
        (averaged,) = label_probabilities(self.network, pyramid, [picture.shape[:2]], flip)
        probabilities = averaged.cpu().numpy()
        labels = probabilities.argmax(axis=0).astype(np.uint8)
        return Segmentation(labels, probabilities, self.names, picture)


@dataclass(frozen=True)
class LoadedClassifier:
    """A classifier of a finished stage; `wsss.cam` takes it as a model."""

    network: SplitClassifier = field(repr=False)
    """RGB in [0, 1] to logits of the C classes; in evaluation mode."""
    names: tuple[str, ...]
    """Of the C classes, in the order of the logits."""
    folder: Path

    @torch.no_grad()
    def predict(self, image: ImageLike) -> dict[str, float]:
        """Probability of each tag by its name, the most probable first.

        Args:
            image: as for `wsss.cam`; floats are colours in [0, 1].

        Raises:
            WsssError: the image cannot be read, or its floats are not in [0, 1].
        """
        cell_px = self.network.features.output_stride
        assert isinstance(cell_px, int)
        seen = _seen(as_bytes(as_picture(image)), cell_px, self.network)
        probabilities = self.network.probabilities(self.network(in_unit_range(seen)))[0].tolist()
        ranked = sorted(zip(self.names, probabilities, strict=True), key=lambda pair: -pair[1])
        return dict(ranked)


def load(folder: str | PathLike[str]) -> LoadedSegmenter | LoadedClassifier:
    """The segmenter or the classifier of a folder, on the CPU, in evaluation mode.

    Args:
        folder: of a finished stage, such as `runs/segment/3f0c…`, or one above it that has a single
            segmenter in it, or else a single classifier: the folder of all results of one run.

    Raises:
        WsssError: there is none in the folder, there are several, or it is the bound (oracle).
    """
    if not isinstance(folder, str | PathLike):
        raise user_error(
            "folder", f"a {type(folder).__name__}", "the path of a folder, as text or a `Path`",
            "Name the folder of a finished stage, such as `wsss.load('runs/segment/…')`.",
        )  # fmt: skip
    folder = Path(folder)
    refuse_oracle(folder)
    for kinds in ((SEGMENTER,), (PAIR_HEADS, CLASSIFIER)):
        found = sorted(_holding(folder, kinds))
        if len(found) > 1:
            listed = "".join(f"\n    {one}" for one in found)
            raise user_error(
                folder, f"{len(found)} finished stages", "one of them", f"Choose one:{listed}"
            )
        if found and kinds == (SEGMENTER,):
            segmenter, names = load_segmenter(found[0])
            labels = (BACKGROUND, *names)
            return LoadedSegmenter(segmenter, labels, found[0], bool(mark_of(found[0])))
        if found:
            classifier, names = load_finished(found[0])
            return LoadedClassifier(classifier, names, found[0])
    raise user_error(
        folder,
        "no segmenter and no classifier here" if folder.is_dir() else "no such folder",
        "the folder of a finished stage, such as runs/segment/… or runs/classify/…",
        "Correct the path, or run the stage to its end: `wsss run stages=[segment]`.",
    )


def _holding(folder: Path, kinds: tuple[str, ...]) -> Iterator[Path]:
    """Folders with a network of one of these kinds: this one, or else those below it."""
    if any((folder / f"{kind}.json").is_file() for kind in kinds):
        yield folder
        return
    for depth in ("*", "*/*"):
        for kind in kinds:
            yield from (path.parent for path in folder.glob(f"{depth}/{kind}.json"))


def _seen(
    picture: UInt8[np.ndarray, "h w 3"], cell_px: int, network: torch.nn.Module
) -> UInt8[Tensor, "1 3 _ _"]:
    """An image at multiples of the stride, on the network's device."""
    (seen,) = _pyramid(picture, cell_px, network, (1.0,))
    return seen


def _pyramid(
    picture: UInt8[np.ndarray, "h w 3"],
    cell_px: int,
    network: torch.nn.Module,
    factors: Sequence[float],
) -> list[UInt8[Tensor, "1 3 _ _"]]:
    """An image at several scales, each at multiples of the stride, on the network's device."""
    device = next(network.parameters()).device
    sizes = Scales(tuple(factors), cell_px).sizes((picture.shape[0], picture.shape[1]))
    return [to_tensor(rescale(picture, size))[None].to(device) for size in sizes]
