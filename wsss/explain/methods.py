"""The methods of a request that a classifier supports."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import torch
from omegaconf import DictConfig

from wsss.cams.core.method import CamMethod
from wsss.cams.core.needs import Need, all_of, offers
from wsss.errors import Problem, Severity, WsssError
from wsss.explain.catalogue import GROUP, Entry
from wsss.explain.classifier import Classifier
from wsss.explain.explainer import left_out
from wsss.settings.build import build


def build_methods(
    configs: Mapping[str, DictConfig],
    entries: Mapping[str, Entry],
    classifier: Classifier,
    device: str,
) -> tuple[dict[str, CamMethod], list[Problem]]:
    """The methods that the classifier supports, and why the others are left out.

    Args:
        configs: settings of each method, by its name.
        entries: of the catalogue. What they name as needed is looked at before a method is made,
            for making one may download a network.
        classifier: the classifier.
        device: where the methods' own networks are put.
    """
    offered = offers(classifier.model)
    methods: dict[str, CamMethod] = {}
    refused: list[Problem] = []
    for name, config in configs.items():
        needs = entries[name].needs if name in entries else frozenset()
        if missing := needs - offered:
            refused.append(_lacking(name, classifier, map(Need, missing)))
            continue
        try:
            method: CamMethod = build(config)
            if missing := method.needs - offered:  # An option has added to what is needed.
                refused.append(_lacking(name, classifier, missing))
                continue
            method.check(classifier.model)
        except WsssError as error:
            refused += [replace(problem, where=f"{GROUP}={name}") for problem in left_out(error)]
            continue
        for part in vars(method).values():
            if isinstance(part, torch.nn.Module):
                part.to(device).eval()
        methods[name] = method
    return methods, refused


def _lacking(name: str, classifier: Classifier, missing: Iterable[Need]) -> Problem:
    """What a method misses in the classifier, and what to name instead of it."""
    came, words = f"{classifier.title} is none that it can explain", all_of(frozenset(missing))
    return Problem(f"{GROUP}={name}", came, words.meaning, words.explain, Severity.SKIPPED)
