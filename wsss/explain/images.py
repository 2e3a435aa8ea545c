"""Draw what methods see in images: pictures, a sheet an image, numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from wsss.cams.core.method import CamMethod
from wsss.cams.core.multiscale import multiscale_maps
from wsss.cams.core.postprocess import normalise_minmax
from wsss.data.datasets import to_tensor
from wsss.data.images import read_rgb
from wsss.data.pyramids import Scales, Size, rescale
from wsss.errors import Problem, Severity, WsssError
from wsss.explain.classes import ClassChoice
from wsss.explain.classifier import MAX_SIDE_PX, Classifier
from wsss.explain.output import (
    SHEET,
    overlay_name,
    prepare,
    unique_names,
    write_picture,
    write_scores,
)
from wsss.explain.sheet import Row, overlay, sheet
from wsss.models.classifier import SplitClassifier
from wsss.runtime.progress import track

MOST_PROBABLE = 5
"""Classes whose probabilities are noted for each image, explained or not."""

Figures = Mapping[str, float | None]
"""Measured values by their names."""
Scorer = Callable[[SplitClassifier, CamMethod, Tensor, Tensor], Sequence[Figures]]
"""From model, method, image [1, 3, h, w] in [0, 1] and classes [n] to the figures of each class."""


@dataclass(slots=True)
class Explained:
    """What came of a call."""

    sheets: dict[Path, Path] = field(default_factory=dict)
    """Sheet of each image."""
    top: dict[Path, tuple[str, float]] = field(default_factory=dict)
    """Most probable class of each image, with its probability."""
    problems: list[Problem] = field(default_factory=list)
    """What was left out, and why."""


@torch.no_grad()
def explain_images(
    folder: Path,
    classifier: Classifier,
    methods: Mapping[str, CamMethod],
    images: Sequence[Path],
    choice: ClassChoice,
    *,
    factors: tuple[float, ...] = (1.0,),
    flip: bool = False,
    device: str = "cpu",
    scorer: Scorer | None = None,
    described: Mapping[str, Any] | None = None,
    visible: bool = True,
) -> Explained:
    """Explain every image: `<image>/<method>.<class>.png`, `<image>/sheet.png`, `scores.json`.

    An image that cannot be read is noted and left out, and so is a method that refuses an image or
    runs out of memory on it. What an earlier call has left in the folder is removed first.

    Args:
        folder: where everything is written.
        classifier: the classifier.
        methods: the methods by their names; checked against the classifier.
        images: image files.
        choice: the classes.
        factors: of an image's size, at which it is seen; maps are summed.
        flip: whether every scale is also seen mirrored.
        device: where to compute.
        scorer: measures figures of every map; None measures none.
        described: what else goes into `scores.json`.
        visible: whether to show a progress bar.

    Raises:
        WsssError: nothing can be written to the folder, or its `scores.json` is another program's.
    """
    prepare(folder)
    model, names = classifier.model.to(device), classifier.class_names
    found = Explained()
    entries: list[dict[str, Any]] = []
    named = zip(images, unique_names(images), strict=True)
    for path, name in track(named, len(images), "explain", visible=visible):
        try:
            image = read_rgb(path)
        except WsssError as error:
            found.problems += _left_out(error)
            continue
        pyramid = _pyramid(image, classifier, factors, device)
        probabilities = model.probabilities(model(pyramid[0].float() / 255))[0].cpu()
        classes = choice.choose(probabilities, model.multi_label)
        size = shown_size(image)
        maps: dict[str, Float[np.ndarray, "n h w"]] = {}
        figures: dict[str, Sequence[Figures]] = {}
        for method_name, method in methods.items():
            try:
                heat = _maps(classifier, method, pyramid, classes, size, flip)
                figures[method_name] = _figures(classifier, method, pyramid[0], classes, scorer)
            except WsssError as error:
                found.problems += _left_out(error, f"{path}, {method_name}: ")
                continue
            except (RuntimeError, MemoryError) as error:
                if not _out_of_memory(error):
                    raise
                found.problems.append(_too_large(f"{path}, {method_name}", image.shape, error))
                continue
            maps[method_name] = heat
        explanations = [
            {
                "method": method_name,
                **_class_entry(classifier, probabilities, index),
                **figures[method_name][position],
                "overlay": f"{name}/{overlay_name(method_name, names[index], index)}",
            }
            for method_name in maps
            for position, index in enumerate(classes)
        ]
        ranked = probabilities.argsort(descending=True)[:MOST_PROBABLE].tolist()
        entries.append(
            {
                "image": str(path),
                "size": list(image.shape[:2]),
                "seen_at": [list(level.shape[2:]) for level in pyramid],
                "most_probable": [_class_entry(classifier, probabilities, i) for i in ranked],
                "sheet": f"{name}/{SHEET}" if maps else None,
                "explanations": explanations,
            }
        )
        found.top[path] = (classifier.class_names[ranked[0]], float(probabilities[ranked[0]]))
        if maps:
            heats = (heat for one in maps.values() for heat in one)
            for entry, heat in zip(explanations, heats, strict=True):
                write_picture(folder / str(entry["overlay"]), overlay(image, heat))
            rows = [
                Row(
                    classifier.class_names[index],
                    float(probabilities[index]),
                    {method_name: one[position] for method_name, one in maps.items()},
                )
                for position, index in enumerate(classes)
            ]
            found.sheets[path] = folder / name / SHEET
            write_picture(found.sheets[path], sheet(image, rows))
    left_out = [str(problem) for problem in found.problems]
    scores = {**(described or {}), "images": entries, "left_out": left_out}
    write_scores(folder, scores)
    return found


def shown_size(image: UInt8[np.ndarray, "h w 3"]) -> Size:
    """Height and width of an image's maps: its own, at most `MAX_SIDE_PX` for the longer side."""
    return Scales(max_side_px=MAX_SIDE_PX).bounded((image.shape[0], image.shape[1]))


def _pyramid(
    image: UInt8[np.ndarray, "h w 3"],
    classifier: Classifier,
    factors: tuple[float, ...],
    device: str,
) -> list[UInt8[Tensor, "1 3 _ _"]]:
    sizes = classifier.sizes((image.shape[0], image.shape[1]), factors)
    return [to_tensor(rescale(image, size))[None].to(device) for size in sizes]


def _maps(
    classifier: Classifier,
    method: CamMethod,
    pyramid: Sequence[Tensor],
    classes: tuple[int, ...],
    size: Size,
    flip: bool,
) -> Float[np.ndarray, "n h w"]:
    """Maps in [0, 1] at `size`, stretched from their minimum to their maximum."""
    if method.sees_scales:
        pyramid, flip = pyramid[:1], False
    indices = torch.tensor([classes], device=pyramid[0].device)
    maps = multiscale_maps(classifier.model, method, pyramid, indices, [size], flip)[0]
    return np.asarray(normalise_minmax(maps).cpu().numpy())


def _figures(
    classifier: Classifier,
    method: CamMethod,
    image: Tensor,
    classes: tuple[int, ...],
    scorer: Scorer | None,
) -> Sequence[Figures]:
    if scorer is None:
        return [{} for _ in classes]
    indices = torch.tensor(classes, device=image.device)
    return scorer(classifier.model, method, image.float() / 255, indices)


def _class_entry(classifier: Classifier, probabilities: Tensor, index: int) -> dict[str, Any]:
    return {
        "class": classifier.class_names[index],
        "index": index,
        "probability": float(probabilities[index]),
    }


def _left_out(error: WsssError, prefix: str = "") -> list[Problem]:
    return [
        Problem(prefix + p.where, p.came, p.expected, p.remedy, Severity.SKIPPED)
        for p in error.problems
    ]


def _out_of_memory(error: Exception) -> bool:
    """Whether it is that an error says; on a CPU and on some devices it is a plain RuntimeError."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(words in str(error) for words in ("can't allocate memory", "out of memory"))


def _too_large(where: str, size: tuple[int, ...], error: Exception) -> Problem:
    """Why a method is left out on an image that it has no memory for."""
    return Problem(
        where,
        f"no memory is left for an image of {size[1]} × {size[0]} px ({type(error).__name__})",
        "less than what the device has",
        "Show it smaller by `size=…`, explain fewer classes, or use `device=cpu`.",
        Severity.SKIPPED,
    )
