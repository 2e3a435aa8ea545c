"""The methods of a request that a classifier supports."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from omegaconf import DictConfig

from wsss.cams.core.method import CamMethod, check_is_method
from wsss.cams.core.needs import Need, lacking, offers
from wsss.errors import Problem, WsssError
from wsss.explain.explained_classifier import Classifier
from wsss.explain.explainer import left_out
from wsss.explain.method_catalogue import GROUP, Entry
from wsss.settings.build import build, told_by_setting
from wsss.settings.remedies import FOR_EXPLAIN


def build_methods(
    configs: Mapping[str, DictConfig],
    entries: Mapping[str, Entry],
    classifier: Classifier,
    device: str,
) -> tuple[dict[str, CamMethod], list[Problem]]:
    """The methods that the classifier supports, and why the others are left out.

    Args:
        configs: settings of each method, by its name.
        entries: of the catalogue, whose needs are checked before a method is built, since
            building one may download a network.
        classifier: the classifier.
        device: where the methods' own networks are put.
    """
    offered = offers(classifier.model)
    methods: dict[str, CamMethod] = {}
    refused: list[Problem] = []
    for name, config in configs.items():
        needs = entries[name].needs if name in entries else frozenset()
        try:
            with told_by_setting(cast("DictConfig", config._get_root()), GROUP, FOR_EXPLAIN):
                if missing := needs - offered:
                    raise lacking(name, classifier.title, [*map(Need, missing)])
                method: CamMethod = build(config, FOR_EXPLAIN)
                check_is_method(method)
                method.check(classifier.model)  # An option may have added to what is needed.
        except WsssError as error:
            refused += [_of_method(name, problem) for problem in left_out(error)]
            continue
        for network in method.networks():
            network.to(device).eval()
        methods[name] = method
    return methods, refused


def _of_method(name: str, problem: Problem) -> Problem:
    """The reason for skipping a method, with the option at fault, if any."""
    came = problem.came if problem.where == GROUP else f"{problem.where}: {problem.came}"
    return replace(problem, where=f"{GROUP}={name}", came=came)
