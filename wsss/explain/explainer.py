"""Explanations of an image by several methods."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from wsss.cams.core.method import CamMethod
from wsss.cams.core.multiscale import multiscale_maps
from wsss.cams.core.postprocess import normalise_minmax
from wsss.data.colours import in_unit_range
from wsss.data.datasets import to_tensor
from wsss.data.images import read_rgb
from wsss.data.pyramids import Size, rescale
from wsss.data.resizing import shrunk_size
from wsss.errors import Problem, Severity, WsssError
from wsss.explain.class_choice import ClassChoice
from wsss.explain.counted_passes import Tell
from wsss.explain.explained_classifier import MAX_SIDE_PX, Classifier
from wsss.machine.devices import memory_format
from wsss.machine.memory import out_of_memory
from wsss.models.classifier import SplitClassifier
from wsss.stage_tools.progress import Report

Figures = Mapping[str, float | None]
"""Measured values by their names."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """Measures figures of maps."""

    figures: Callable[[SplitClassifier, CamMethod, Tensor, Tensor, Tell], Sequence[Figures]]
    """From model, method, image [1, 3, h, w] in [0, 1] and classes [n] to the figures of each
    class; tells how far it is."""
    passes: Callable[[Size], int]
    """Number of images that a map of an image of a size takes through the network."""


def _silent(_done: float, _now: str) -> None:
    """Report to nobody."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """An image, its predicted probabilities, and the methods' maps."""

    image: UInt8[np.ndarray, "h w 3"]
    seen_at: tuple[Size, ...]
    """Height and width of each scale."""
    class_names: tuple[str, ...]
    probabilities: Float[Tensor, " c"]
    """Of all classes, on the first scale."""
    classes: tuple[int, ...]
    """The n explained classes."""
    maps: Mapping[str, Float[np.ndarray, "n h w"]]
    """In [0, 1], by the method."""
    figures: Mapping[str, Sequence[Figures]]
    """Of each class, by the method."""
    problems: Sequence[Problem]
    """Skipped methods, with reasons."""
    baselines: Mapping[str, Sequence[Figures]] = field(default_factory=dict)
    """Of each class, by the baseline."""


@dataclass(frozen=True, slots=True)
class Explainer:
    """A classifier, methods that explain it, scales and flips."""

    classifier: Classifier
    methods: Mapping[str, CamMethod]
    """By their names; checked against the classifier."""
    choice: ClassChoice
    factors: tuple[float, ...] = (1.0,)
    """Scales of an image; maps are summed over them."""
    flip: bool = False
    """Whether mirror images are added to every scale."""
    device: str = "cpu"
    scorer: Scorer | None = None
    """Measures figures of every map; None measures none."""
    baselines: Mapping[str, CamMethod] = field(default_factory=dict)
    """What methods have to beat: measured as they are where a scorer is, but not drawn."""

    @torch.no_grad()
    def num_steps(self, path: Path) -> int:
        """Number of steps of `explain`: maps, and images that their figures take through it.

        Raises:
            WsssError: the image cannot be read.
        """
        seen = self._see(read_rgb(path))
        return len(self.methods) * self._steps_of_method(seen) + self._steps_of_baselines(seen)

    @torch.no_grad()
    def explain(self, path: Path, report: Report = _silent) -> Explanation:
        """Explain an image file; a method that refuses it, or has no memory for it, is left out.

        Args:
            path: the file.
            report: is told the number of steps that are done, and what is computed next.

        Raises:
            WsssError: the image cannot be read.
        """
        image = read_rgb(path)
        seen = self._see(image)
        names, classes, pyramid = self.classifier.class_names, seen.classes, seen.pyramid
        maps: dict[str, Float[np.ndarray, "n h w"]] = {}
        figures: dict[str, Sequence[Figures]] = {}
        problems: list[Problem] = []
        steps = self._steps_of_method(seen)
        for position, (name, method) in enumerate(self.methods.items()):
            done, now = position * steps, f"{path.name}, {name}"
            report(done, now)
            try:
                heat = self.maps(method, pyramid, classes, shown_size(image))
                figures[name] = self._all_figures(method, seen, done + 1, now, report)
                maps[name] = heat
            except WsssError as error:
                problems += left_out(error, f"{path}, {name}: ")
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                problems.append(_too_large(f"{path}, {name}", image.shape, error))
        baselines: dict[str, Sequence[Figures]] = {}
        # Where every method ran out of memory, so would they.
        for position, (name, method) in enumerate(self._measured_baselines() if maps else ()):
            done = len(self.methods) * steps + position * (steps - 1)
            now = f"{path.name}, {name}"
            baselines[name] = self._all_figures(method, seen, done, now, report)
        return Explanation(
            *(image, seen.sizes, names, seen.probabilities, classes),
            *(maps, figures, problems, baselines),
        )

    def maps(
        self,
        method: CamMethod,
        pyramid: Sequence[UInt8[Tensor, "1 3 _ _"]],
        classes: tuple[int, ...],
        size: Size,
    ) -> Float[np.ndarray, "n h w"]:
        """A method's maps at `size`, each stretched from its minimum to its maximum: [0, 1].

        Args:
            method: the method.
            pyramid: the image at each scale.
            classes: indices of n classes.
            size: height and width of the maps.
        """
        flip = self.flip and not method.sees_scales
        pyramid = pyramid[:1] if method.sees_scales else pyramid
        indices = torch.tensor([classes], device=pyramid[0].device)
        maps = multiscale_maps(self.classifier.model, method, pyramid, indices, [size], flip)[0]
        return np.asarray(normalise_minmax(maps).cpu().numpy())

    def _see(self, image: UInt8[np.ndarray, "h w 3"]) -> "_Seen":
        """What the classifier sees of an image, and the classes to explain."""
        device = torch.device(self.device)
        model = self.classifier.model
        model.to(device, memory_format=memory_format(device))  # type: ignore[call-overload]
        sizes = self.classifier.sizes((image.shape[0], image.shape[1]), self.factors)
        pyramid = [to_tensor(rescale(image, size))[None].to(device) for size in sizes]
        probabilities = model.probabilities(model(in_unit_range(pyramid[0])))[0].cpu()
        classes = self.choice.choose(probabilities, model.multi_label)
        return _Seen(sizes, pyramid, probabilities, classes)

    def _passes(self, seen: "_Seen") -> int:
        """Images that the figures of a map take through the classifier."""
        return 0 if self.scorer is None else self.scorer.passes(seen.sizes[0])

    def _steps_of_method(self, seen: "_Seen") -> int:
        """A step for the maps, and those of their figures."""
        return 1 + len(seen.classes) * self._passes(seen)

    def _steps_of_baselines(self, seen: "_Seen") -> int:
        """Those of their figures: no map of theirs is shown."""
        return len(self._measured_baselines()) * (self._steps_of_method(seen) - 1)

    def _measured_baselines(self) -> Sequence[tuple[str, CamMethod]]:
        return () if self.scorer is None else [*self.baselines.items()]

    def _all_figures(
        self, method: CamMethod, seen: "_Seen", done: int, now: str, report: Report
    ) -> Sequence[Figures]:
        """Figures of a method's maps of all classes, reported behind the steps `done`."""
        names, passes = self.classifier.class_names, self._passes(seen)
        measured: list[Figures] = []
        for number, index in enumerate(seen.classes):
            what = f"{now}, {first_synonym(names[index])}"
            tell = _telling(report, done + number * passes, what)
            measured += self._figures(method, seen.pyramid[0], index, tell)
        return measured

    def _figures(
        self, method: CamMethod, image: Tensor, index: int, tell: Tell
    ) -> Sequence[Figures]:
        """Figures of a method's map of one class, in a list."""
        if self.scorer is None:
            return [{}]
        indices = torch.tensor([index], device=image.device)
        return self.scorer.figures(
            self.classifier.model, method, in_unit_range(image), indices, tell
        )


@dataclass(frozen=True, slots=True)
class _Seen:
    """An image at each scale, the probabilities of its classes, and those to explain."""

    sizes: tuple[Size, ...]
    pyramid: Sequence[UInt8[Tensor, "1 3 _ _"]]
    probabilities: Float[Tensor, " c"]
    classes: tuple[int, ...]


def shown_size(image: UInt8[np.ndarray, "h w 3"]) -> Size:
    """Height and width of an image's maps: its own, at most `MAX_SIDE_PX` for the longer side."""
    return shrunk_size((image.shape[0], image.shape[1]), MAX_SIDE_PX)


def _telling(report: Report, before: int, what: str) -> Tell:
    """Report passes behind the steps `before`."""
    return lambda passes, measure: report(before + passes, f"{what}: {measure}")


def first_synonym(class_name: str) -> str:
    """A class name without what stands behind commas."""
    return class_name.partition(",")[0]


def left_out(error: WsssError, prefix: str = "") -> list[Problem]:
    """The problems of an error, as reasons for skipping something."""
    return [
        replace(problem, where=prefix + problem.where, severity=Severity.SKIPPED)
        for problem in error.problems
    ]


def _too_large(where: str, size: tuple[int, ...], error: Exception) -> Problem:
    """The problem of a method that ran out of memory."""
    return Problem(
        where,
        f"no memory is left for an image of {size[1]} × {size[0]} px ({type(error).__name__})",
        "less than what the device has",
        "Show it smaller by `size=…`, explain fewer classes, or use `device=cpu`.",
        Severity.SKIPPED,
    )
