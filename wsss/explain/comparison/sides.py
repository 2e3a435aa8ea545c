"""The two sides of a comparison: checkpoints, runs, or methods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from wsss.errors import Problem, WsssError, user_error
from wsss.explain.class_choice import parse_classes
from wsss.explain.comparison.compare_image import Comparison, Pair, same_classes
from wsss.explain.explain_request import weights_of
from wsss.explain.explained_classifier import Classifier, load_classifier
from wsss.explain.explainer import Explainer
from wsss.explain.method_catalogue import catalogue
from wsss.explain.request import Request
from wsss.explain.supported_methods import build_methods
from wsss.models.saved_classifier import is_classifier
from wsss.settings.config_dir import config_dir

CLASSIFIERS = ("oppose", "reactivate", "classify")
"""Stages whose folders hold a classifier, the later one first."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides, ready to explain."""

    comparison: Comparison
    names: tuple[str, str]
    """What they are called in pictures."""
    described: Mapping[str, Any]
    """What they are, as plain data: folders, and the contents of weights."""
    refused: Sequence[Problem]
    """Methods that a side does not support."""


def sides_of(request: Request, configs: Mapping[str, DictConfig], device: str) -> Sides:
    """The sides that `compare` names.

    Args:
        request: the checked settings.
        configs: settings of each method, by its name; of two methods to compare, these two.
        device: of the networks.

    Raises:
        WsssError: a side has no classifier, or the two have no class or method in common.
    """
    if request.checkpoint is not None or request.model is not None:
        return _methods(request, configs, device)
    folders = [classifier_folder(Path(word)) for word in request.compare]
    requests = [replace(request, checkpoint=folder) for folder in folders]
    classifiers = [load_classifier(one) for one in requests]
    names = [one.class_names for one in classifiers]
    if not same_classes(*names):
        raise user_error(
            f"compare={','.join(request.compare)}", "two classifiers without a common class",
            f"class names that both have: {', '.join(names[0][:5])}, … and "
            f"{', '.join(names[1][:5])}, …", "Compare classifiers of the same classes.",
        )  # fmt: skip
    sides, refused = [], []
    for classifier in classifiers:
        methods, problems = build_methods(configs, catalogue(config_dir()), classifier, device)
        sides.append(_explainer(request, classifier, methods, device))
        refused += problems
    both = [name for name in sides[0].methods if name in sides[1].methods]
    if not both:
        raise WsssError(*dict.fromkeys(refused))
    pairs = [Pair(name, name) for name in both]
    described = {
        side: {"folder": str(folder), "weights": weights_of(one)}
        for side, folder, one in zip("AB", folders, requests, strict=True)
    }
    return Sides(Comparison(sides[0], sides[1], pairs), ("A", "B"), described, refused)


def classifier_folder(folder: Path) -> Path:
    """The folder of the classifier that a folder stands for.

    Args:
        folder: of a stage that trains a classifier; or of a run's logs, or of another finished
            stage, whose last classifier is meant.

    Raises:
        WsssError: there is none, or several runs are there.
    """
    if is_classifier(folder):
        return folder
    from wsss.comparing.compared_run import read_runs

    runs = read_runs([folder])
    found = dict.fromkeys(
        next((run.folders[stage] for stage in CLASSIFIERS if stage in run.folders), None)
        for run in runs
    )
    if len(found) != 1 or (place := next(iter(found))) is None:
        came = f"{len(found)} classifiers" if len(found) > 1 else "no finished classifier"
        raise user_error(
            folder, came, "a checkpoint, such as runs/classify/…, or a run with one: runs/logs/…",
            "Name the folder of one classifier.",
        )  # fmt: skip
    return place


def _methods(request: Request, configs: Mapping[str, DictConfig], device: str) -> Sides:
    """Two methods of one classifier."""
    classifier = load_classifier(request)
    methods, refused = build_methods(configs, catalogue(config_dir()), classifier, device)
    if refused:
        raise WsssError(*refused)
    first, second = methods
    explainer = _explainer(request, classifier, methods, device)
    described = {"classifier": classifier.title, "weights": weights_of(request)}
    pairs = [Pair(first, second)]
    return Sides(Comparison(explainer, explainer, pairs), (first, second), described, ())


def _explainer(
    request: Request, classifier: Classifier, methods: Mapping[str, Any], device: str
) -> Explainer:
    choice = parse_classes(request.classes, classifier.class_names)
    return Explainer(classifier, methods, choice, request.scales, request.flip, device)
