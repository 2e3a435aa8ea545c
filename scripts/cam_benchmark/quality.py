"""What a method's maps are worth on a data set: faithfulness, localisation, seeds."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cam_benchmark import intervals
from cam_benchmark.averages import Faithfulness
from cam_benchmark.boxes import MaxBoxAccuracy, component_boxes, scale_boxes
from cam_benchmark.pixels import PixelAveragePrecision
from cam_benchmark.pointing import PointingGame
from cam_benchmark.seed_curve import seed_counts, seed_miou
from wsss.artifacts import MANIFEST, seed_size
from wsss.cams.core.method import CamMethod
from wsss.cams.core.multiscale import multiscale_maps
from wsss.data.datasets import to_tensor
from wsss.data.pyramids import Scales, rescale
from wsss.data.sample import VOID_LABEL, Item
from wsss.data.source import Source
from wsss.errors import WsssError, user_error
from wsss.explain.faithfulness_protocol import Protocol, judge
from wsss.metrics.overlaps import overlaps
from wsss.models import SplitClassifier
from wsss.models.saved_classifier import is_classifier, load_finished
from wsss.refine.pseudo_label import upsample
from wsss.stages.evaluate import THRESHOLDS

BOX_SIZE = (224, 224)
"""Height and width at which boxes are compared (Choe et al. 2020)."""


def classifier_for(method: CamMethod, work_dir: Path) -> tuple[SplitClassifier, tuple[str, ...]]:
    """The newest finished classifier below `work_dir` that the method can explain.

    That of `classify` is tried first, then those of stages that go on training it, or something
    beside it.

    Raises:
        WsssError: there is none; names what the method needs.
    """
    folders = [
        manifest.parent
        for manifest in sorted(work_dir.glob(f"*/*/{MANIFEST}"), key=lambda p: -p.stat().st_mtime)
        if is_classifier(manifest.parent)
    ]
    refusal = user_error(
        work_dir, "no finished classifier", "classify/<fingerprint>/", "Run the pipeline first."
    )
    for folder in sorted(folders, key=lambda folder: folder.parent.name != "classify"):
        try:
            model, names = load_finished(folder)
            method.check(model)
        except WsssError as error:
            refusal = error
            continue
        return model, names
    raise refusal


def faithfulness_row(
    model: SplitClassifier,
    method: CamMethod,
    source: Source,
    items: Sequence[Item],
    protocol: Protocol,
    scales: Scales,
    seed_threshold: float,
    size_px: int = 224,
    device: torch.device | None = None,
) -> dict[str, Any]:
    """All figures of a method on the items of a data set.

    Args:
        model: the trained classifier, in evaluation mode.
        method: makes the maps.
        source: images, tags and masks.
        items: which images; those that cannot be read raise.
        protocol: how faithfulness is measured, on images resized to a square.
        scales: of the seeds; mirror images are averaged in, as the pipeline does.
        seed_threshold: background threshold fixed beforehand.
        size_px: side of the images of the faithfulness figures.
        device: where the model is.

    Returns:
        `faithfulness` in percent; where there are masks also `localisation` and `seeds` in [0, 1],
        stamped `oracle`: scores of the seeds of all tags, with boxes around the connected parts of
        the masks. Each has `intervals` by figure, where there are several images.
    """
    device = device or torch.device("cpu")
    faithfulness = Faithfulness().to(device)
    counts: list[np.ndarray] = []
    localisation = Localisation(len(source.class_names), seed_threshold)
    for item in items:
        image = source.read_image(item)
        square = _batch(rescale(image, (size_px, size_px)), device).float() / 255
        tags = torch.from_numpy(source.tags(item))[None].to(device)
        before = intervals.counts_of(faithfulness, "sums", "counts")
        faithfulness.update(judge(model, method, square, tags, protocol))
        counts.append(intervals.counts_of(faithfulness, "sums", "counts") - before)
        target = source.read_mask(item)
        if target is not None and item.labels:
            maps = seed_maps(model, method, image, item, scales, device)
            localisation.update(maps, item.labels, target)
    figures: dict[str, Any] = dict(faithfulness.compute())
    figures["intervals"] = intervals.intervals(counts, intervals.faithfulness)
    return {"images": len(items), "faithfulness": figures} | localisation.compute()


def seed_maps(
    model: SplitClassifier,
    method: CamMethod,
    image: np.ndarray,
    item: Item,
    scales: Scales,
    device: torch.device,
) -> np.ndarray:
    """The seeds of an image's tags in [0, 1], float32 [n, h, w] at image size."""
    size = (image.shape[0], image.shape[1])
    if method.sees_scales:
        scales = replace(scales, factors=(1.0,))
    flip = not method.sees_scales
    pyramid = [_batch(rescale(image, one), device) for one in scales.sizes(size)]
    classes = torch.tensor([[label - 1 for label in item.labels]], device=device)
    with torch.no_grad():
        maps = multiscale_maps(model, method, pyramid, classes, [seed_size(*size)], flip)[0]
    return upsample(maps.cpu().numpy(), size)


class Localisation:
    """Scores of seeds against masks, over a data set."""

    def __init__(self, num_classes: int, seed_threshold: float) -> None:
        self.num_classes = num_classes
        self.thresholds = (*THRESHOLDS, seed_threshold)
        self.pointing = PointingGame(num_classes)
        self.boxes = MaxBoxAccuracy()
        self.pixels = PixelAveragePrecision()
        self.counts: np.ndarray | None = None
        self.by_image: dict[str, list[np.ndarray]] = {}
        """What each image adds to each kind of figures."""

    def update(self, maps: np.ndarray, labels: tuple[int, ...], target: np.ndarray) -> None:
        """Count an image: maps [n, h, w] of its labels, and its mask."""
        counts = seed_counts(
            maps, np.array(labels, dtype=np.uint16), target, self.num_classes, self.thresholds
        )
        self.counts = counts if self.counts is None else self.counts + counts
        before = self._states()
        for one, label, objects in self._present(maps, labels, target):
            tensors = torch.from_numpy(one)[None], torch.from_numpy(objects)[None]
            self.pointing.update(*tensors, torch.tensor([label - 1]))
            self.pixels.update(*tensors, torch.from_numpy(target != VOID_LABEL)[None])
            boxes = scale_boxes(component_boxes(objects), objects.shape, BOX_SIZE)
            self.boxes.update(torch.from_numpy(upsample(one[None], BOX_SIZE)), [boxes])
        added = {kind: state - before[kind] for kind, state in self._states().items()}
        added["seeds"] = np.stack([overlaps(one) for one in counts]).ravel()
        for kind, own in added.items():
            self.by_image.setdefault(kind, []).append(own)

    def _states(self) -> dict[str, np.ndarray]:
        """What was counted so far."""
        return {
            "pointing": intervals.counts_of(self.pointing, "hits", "totals", "energy"),
            "pixels": intervals.counts_of(self.pixels, "inside", "outside"),
            "boxes": intervals.counts_of(self.boxes, "correct", "images"),
        }

    def _present(
        self, maps: np.ndarray, labels: tuple[int, ...], target: np.ndarray
    ) -> Iterator[tuple[np.ndarray, int, np.ndarray]]:
        """Maps, labels and pixels of those labels that the mask shows."""
        for one, label in zip(maps, labels, strict=True):
            if (objects := target == label).any():
                yield one, label, objects

    def compute(self) -> dict[str, Any]:
        """`localisation` and `seeds`; empty where nothing was counted."""
        if self.counts is None:
            return {}
        *curve, fixed = seed_miou(self.counts).tolist()
        best = int(np.nanargmax(curve))
        return {
            "localisation": {
                "oracle": True,
                **self.pointing.compute(),
                "px_ap": float(self.pixels.compute()),
                **self.boxes.compute(),
                "intervals": {
                    **intervals.intervals(self.by_image["pointing"], intervals.pointing),
                    **intervals.intervals(self.by_image["pixels"], intervals.pixels),
                    **intervals.intervals(self.by_image["boxes"], intervals.boxes),
                },
            },
            "seeds": {
                "oracle": True,
                "best_miou": curve[best],
                "best_threshold": self.thresholds[best],
                "miou": fixed,
                "threshold": self.thresholds[-1],
                "intervals": intervals.intervals(
                    self.by_image["seeds"],
                    partial(intervals.seeds, num_labels=self.num_classes + 1),
                ),
            },
        }


def _batch(image: np.ndarray, device: torch.device) -> Tensor:
    """An RGB image as a batch uint8 [1, 3, h, w]."""
    return to_tensor(image)[None].to(device)
