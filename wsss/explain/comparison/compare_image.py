"""Two explanations of an image, class by class."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from wsss.errors import Problem, user_error
from wsss.explain.class_choice import ClassChoice
from wsss.explain.explainer import Explainer, Explanation
from wsss.metrics.explanation.similarity import iou_at_half, moved_share, rank_correlation

Map = Float[np.ndarray, "h w"]


@dataclass(frozen=True, slots=True)
class Pair:
    """A method of the first side beside one of the second."""

    first: str
    second: str

    @property
    def title(self) -> str:
        """Both names, or the one that they share."""
        return self.first if self.first == self.second else f"{self.first}, {self.second}"


@dataclass(frozen=True, slots=True)
class Difference:
    """Two maps of a class, and how they differ."""

    class_name: str
    pair: Pair
    probabilities: tuple[float, float]
    """Of the class, by each side's classifier."""
    maps: tuple[Map, Map]
    """In [0, 1], of one size."""
    moved_share: float
    """Total-variation distance of the maps as distributions, in [0, 1]."""
    rank_correlation: float | None
    """Spearman's, in [-1, 1]; None where a map is constant."""
    iou_at_half: float | None
    """Of the regions from half of the maximum, in [0, 1]; None where neither map is above 0."""


@dataclass(frozen=True, slots=True)
class Compared:
    """An image as both sides see it; the class that they see most differently comes first."""

    image: UInt8[np.ndarray, "h w 3"]
    differences: Sequence[Difference]
    problems: Sequence[Problem]
    """Methods that were left out, with reasons."""

    @property
    def disagreement(self) -> float:
        """The largest moved share, in [0, 1]: one class that moved makes an image worth a look."""
        return max((one.moved_share for one in self.differences), default=0.0)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides that explain the same images.

    Classes are the same where they have a name in common. Where a rule chooses the classes
    (`predicted`, `top3`), those that either side chooses are compared.
    """

    first: Explainer
    second: Explainer
    """The same object where two methods of one classifier are compared."""
    pairs: Sequence[Pair]

    def compare(self, path: Path) -> Compared:
        """Explain an image by both sides.

        Raises:
            WsssError: the image cannot be read, or none of its chosen classes is known to both.
        """
        columns = self._classes(path)
        first, second = zip(*columns, strict=True)
        seen = _explained(self.first, path, first)
        other = seen if self.is_one else _explained(self.second, path, second)
        found = [
            _difference(pair, (seen, other), position)
            for pair in self.pairs
            if pair.first in seen.maps and pair.second in other.maps
            for position in range(len(columns))
        ]
        found.sort(key=lambda one: -one.moved_share)
        problems = [*seen.problems, *(() if self.is_one else other.problems)]
        return Compared(seen.image, found, problems)

    @property
    def is_one(self) -> bool:
        """Whether both sides are one classifier."""
        return self.first is self.second

    def _classes(self, path: Path) -> list[tuple[int, int]]:
        """The classes to compare, as each side's index."""
        to_second = same_classes(
            self.first.classifier.class_names, self.second.classifier.class_names
        )
        to_first = {second: first for first, second in to_second.items()}
        chosen = dict.fromkeys(_chosen(self.first, path))
        if not self.is_one:
            of_second = (to_first.get(index) for index in _chosen(self.second, path))
            chosen |= dict.fromkeys(index for index in of_second if index is not None)
        found = [(index, to_second[index]) for index in chosen if index in to_second]
        if not found:
            raise user_error(
                path, "no class that both classifiers know is chosen for it",
                "a class of both", "Name one by `classes=…`.",
            )  # fmt: skip
        return found


def same_classes(first: Sequence[str], second: Sequence[str]) -> dict[int, int]:
    """Indices of the classes of one list in another, by name; the same where the lists are."""
    if tuple(first) == tuple(second):  # Two classes of ImageNet are called `crane`.
        return {index: index for index in range(len(first))}
    places = {name: index for index, name in reversed([*enumerate(second)])}
    return {index: places[name] for index, name in enumerate(first) if name in places}


def _chosen(side: Explainer, path: Path) -> tuple[int, ...]:
    """The classes that a side's rule chooses for an image."""
    return replace(side, methods={}).explain(path).classes


def _explained(side: Explainer, path: Path, indices: tuple[int, ...]) -> Explanation:
    """A side's maps of named classes."""
    return replace(side, choice=ClassChoice(indices)).explain(path)


def _difference(pair: Pair, both: tuple[Explanation, Explanation], position: int) -> Difference:
    """The difference of the class at a position of both sides' classes."""
    first, second = both[0].maps[pair.first][position], both[1].maps[pair.second][position]
    indices = [seen.classes[position] for seen in both]
    probabilities = [
        float(seen.probabilities[index]) for seen, index in zip(both, indices, strict=True)
    ]
    return Difference(
        both[0].class_names[indices[0]],
        pair,
        (probabilities[0], probabilities[1]),
        (first, second),
        moved_share(first, second),
        rank_correlation(first, second),
        iou_at_half(first, second),
    )
