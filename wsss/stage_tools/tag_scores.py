"""Classifiers that were not trained here: how well they find validation tags, and their files."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import torch

from wsss.artifacts import METRICS, write_json
from wsss.data.pyramids import Scales
from wsss.data.source import VAL
from wsss.metrics.tags import tag_mean_average_precision
from wsss.models import Backbone, SplitClassifier
from wsss.models.saved_networks import save_classifier
from wsss.stage_tools.context import Context
from wsss.stage_tools.feature_views import FeatureViews
from wsss.stage_tools.pooled_features import store_pooled_features

log = logging.getLogger(__name__)

BARELY_BETTER = 1.2
"""A mean average precision below as many times that of chance tells of a classifier that fails."""


def save_scored(
    context: Context, classifier: SplitClassifier, scales: Scales, found_by: str, doubt: str
) -> dict[str, float]:
    """Score a classifier on validation tags, and write both.

    Args:
        context: data, folders, processes.
        classifier: whose head takes averaged features.
        scales: the first is the size at which images are seen.
        found_by: subject of the warning where tags are found hardly better than by chance.
        doubt: what to look at then.

    Returns:
        `val_map` and `chance_map`; empty without any tag, and on all ranks but the first.
    """
    numbers = validation_scores(context, classifier, scales)
    if numbers is None:
        return {}
    if barely_better(numbers):
        log.warning(
            "%s validation tags hardly better than chance (mAP %.3f, chance %.3f): %s",
            found_by, numbers["val_map"], numbers["chance_map"], doubt,
        )  # fmt: skip
    write_json(context.folder / METRICS, numbers)
    save_classifier(context.folder, classifier.cpu(), context.source.class_names)
    return numbers


def validation_scores(
    context: Context, model: SplitClassifier, scales: Scales
) -> dict[str, float] | None:
    """Scores of validation tags: `val_map`, and `chance_map` of a classifier that guesses.

    Features are computed by all processes and kept in the stage's folder.

    Args:
        context: data, folders, processes.
        model: whose head takes averaged features.
        scales: the first is the size at which images are seen.

    Returns:
        None on all ranks but the first; empty without any tag.
    """
    items = context.items(VAL)
    folder = context.folder / "features"
    trunk = cast("Backbone", model.features)
    single = replace(scales, factors=scales.factors[:1])
    store_pooled_features(context, trunk, items, single, 0, folder)
    if not context.is_main:
        return None
    return _scores(model.cpu(), FeatureViews(context, items, folder, first_view_only=True))


def barely_better(numbers: Mapping[str, float]) -> bool:
    """Whether tags are found hardly better than chance."""
    return bool(numbers) and numbers["val_map"] < BARELY_BETTER * numbers["chance_map"]


@torch.no_grad()
def _scores(model: SplitClassifier, features: FeatureViews) -> dict[str, float]:
    """Mean average precision of tags, and that of chance; empty without any tag."""
    if not len(features):
        return {}
    logits = [model.head(features[0, index]["images"][None]) for index in range(len(features))]
    tags = features.tags.float()
    shares = tags.mean(dim=0)
    if not shares.any():
        return {}
    precision = tag_mean_average_precision(model.probabilities(torch.cat(logits)), tags.int())
    return {"val_map": float(precision), "chance_map": float(shares[shares > 0].mean())}
