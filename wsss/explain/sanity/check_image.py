"""How alike an image's maps are to those of the trained network while its weights are destroyed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from wsss.data.resizing import shrunk_size
from wsss.errors import Problem, Severity, user_error
from wsss.explain.class_choice import ClassChoice
from wsss.explain.explainer import Explainer, Explanation
from wsss.metrics.explanation.baseline_maps import centred_gaussian, random_map
from wsss.metrics.explanation.similarity import rank_correlation, structural_similarity
from wsss.models.classifier import SplitClassifier

COMPARED_SIDE_PX = 256
"""Longer side of compared maps, at most: no method's map is finer."""
LEAST_SIDE_PX = 11
"""Of the windows of structural similarity."""
RANDOM, GAUSSIAN = "random map", "centred Gaussian"
"""Two maps that explain nothing: one that never stays, one that always does."""

Map = Float[np.ndarray, "h w"]
Networks = Iterator[tuple[str, SplitClassifier]]


@dataclass(frozen=True, slots=True)
class Similarity:
    """Of a map to that of the trained network."""

    rank_correlation: float
    """Spearman's, in [-1, 1]; 0 where the other map is constant: it orders nothing."""
    structural_similarity: float
    """In [-1, 1]; 1 for the same map."""


@dataclass(frozen=True, slots=True)
class Checked:
    """An image's maps, network by network."""

    image: UInt8[np.ndarray, "h w 3"]
    class_names: tuple[str, ...]
    """The n explained classes."""
    maps: Mapping[str, Sequence[Float[np.ndarray, "n h w"]]]
    """In [0, 1], of each network, by the method; the trained network's come first."""
    problems: Sequence[Problem]
    """What was left out, with reasons."""
    similarities: Mapping[str, Sequence[Sequence[Similarity]]]
    """Of each network, of each class whose map of the trained one is not empty, by the method; the
    two baselines last."""


def check_image(explainer: Explainer, path: Path, networks: Networks, seed: int) -> Iterator[
    Checked | None
]:  # fmt: skip
    """Explain an image by other networks; yields None after each of them, and the result last.

    Classes are those that are chosen for the trained network. A method that fails for one of the
    networks is left out, and so is a class whose map is empty before anything was changed: of the
    method that gives it.

    Args:
        explainer: of the trained network.
        path: the image file.
        networks: names and networks.
        seed: of the random map.

    Raises:
        WsssError: the image cannot be read, or is too small.
    """
    trained = explainer.explain(path)
    size = shrunk_size((trained.image.shape[0], trained.image.shape[1]), COMPARED_SIDE_PX)
    if min(size) < LEAST_SIDE_PX:
        raise user_error(
            path, f"maps of {size[1]} × {size[0]} px", f"sides of {LEAST_SIDE_PX} px or more",
            "Leave it out: windows of structural similarity are larger.",
        )  # fmt: skip
    seen: list[Explanation] = []
    for _, network in networks:
        other = replace(explainer.classifier, model=network)
        choice = ClassChoice(trained.classes)
        seen.append(replace(explainer, classifier=other, choice=choice).explain(path))
        yield None
    names = tuple(trained.class_names[index] for index in trained.classes)
    maps, similarities, problems = {}, {}, [*trained.problems]
    for method, heat in trained.maps.items():
        if not all(method in one.maps for one in seen):
            continue
        first, *others = (_small(one, size) for one in (heat, *(s.maps[method] for s in seen)))
        told = [n for n, one in enumerate(first) if one.max() > one.min()]
        problems += [_empty(path, method, name) for n, name in enumerate(names) if n not in told]
        if told:
            maps[method] = [first, *others]
            similarities[method] = [
                [similarity(first[n], other[n]) for n in told] for other in others
            ]
    problems += [problem for one in seen for problem in one.problems]
    generator = np.random.default_rng([seed, crc32(path.name.encode())])
    similarities |= _of_baselines(size, len(seen), generator)
    yield Checked(trained.image, names, maps, problems, similarities)


def similarity(trained: Map, other: Map) -> Similarity:
    """How alike a map is to that of the trained network.

    Args:
        trained: in [0, 1].
        other: in [0, 1], or with values that are no numbers, as of a network that overflows: such
            a map counts as constant.
    """
    other = other if np.isfinite(other).all() else np.zeros_like(other)
    order = rank_correlation(trained, other)
    return Similarity(0.0 if order is None else order, structural_similarity(trained, other))


def _of_baselines(
    size: tuple[int, int], count: int, generator: np.random.Generator
) -> dict[str, list[list[Similarity]]]:
    """What two maps have that know no network: one is drawn each time, one is always the same."""
    first, gaussian = random_map(size, generator), centred_gaussian(size)
    return {
        RANDOM: [[similarity(first, random_map(size, generator))] for _ in range(count)],
        GAUSSIAN: [[similarity(gaussian, centred_gaussian(size))]] * count,
    }


def _empty(path: Path, method: str, class_name: str) -> Problem:
    """The problem of a map without any order, to which no other can be held."""
    return Problem(
        f"{path}, {method}",
        f"the trained network's map of {class_name} is empty",
        "a map with evidence for the class",
        "Explain a class that the image shows: `classes=…`.",
        Severity.SKIPPED,
    )


def _small(heat: Float[np.ndarray, "n _ _"], size: tuple[int, int]) -> Float[np.ndarray, "n h w"]:
    """Maps at a smaller size."""
    target = (size[1], size[0])
    small = [cv2.resize(one, target, interpolation=cv2.INTER_AREA) for one in heat]
    return np.stack([np.asarray(one, dtype=np.float32) for one in small])
