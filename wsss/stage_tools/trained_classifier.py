"""The classifier of the stages before, with the heads trained beside it."""

from pathlib import Path
from typing import cast

import torch

from wsss.cams.core.needs import Need, lacking
from wsss.errors import inside, user_error
from wsss.models import (
    AffinityHeads,
    Backbone,
    LinearHead,
    PairHeads,
    PairNetworks,
    ReactivatedHead,
    SplitClassifier,
    TextHead,
)
from wsss.models.last_block import cut_before_last_stage
from wsss.models.saved_classifier import load_finished
from wsss.models.saved_networks import load_affinity_heads
from wsss.stage_tools.context import Context
from wsss.stage_tools.given_classifier import given_classifier

FINETUNE = "finetune"
"""The mode of the stage `oppose` in which every pair has a last stage of its own."""


def trained_classifier(context: Context) -> SplitClassifier:
    """The classifier of the stages before this one, and the heads trained beside it.

    In evaluation mode, without gradients.

    Raises:
        WsssError: there is none, or it is one of other classes than the data set's.
    """
    folder = context.inputs.get("oppose", classifier_folder(context))
    model, names = load_finished(folder)
    if names != context.source.class_names:
        raise user_error(
            folder,
            f"a classifier of {len(names)} classes ({', '.join(names[:3])}, …)",
            f"the data set's {len(context.source.class_names)} classes",
            "Train it on this data set: `wsss run stages=[classify]`.",
        )
    if "affinity" in context.inputs:
        model.affinity_heads = load_affinity_heads(context.inputs["affinity"])
    return model


def classifier_folder(context: Context) -> Path:
    """The folder of the last stage that trained a classifier."""
    return context.inputs.get("reactivate", context.inputs["classify"])


def untrained_classifier(context: Context) -> SplitClassifier:
    """The classifier of this run's stages for checks before the training: given or random."""
    with inside("classify.backbone" if "backbone" in context.settings["classify"] else "classify"):
        return _untrained_classifier(context)


def _untrained_classifier(context: Context) -> SplitClassifier:
    names, settings = context.source.class_names, context.settings["classify"]
    num_classes = len(names)
    if "backbone" in settings:
        backbone: Backbone = settings["backbone"](weights=None, freeze="backbone")
        model = SplitClassifier.linear(backbone, num_classes)
        if "prompts" in settings:
            model.head = TextHead(backbone.num_features, num_classes, 1, 1)
    else:
        model = given_classifier(names, **settings)
        backbone = cast("Backbone", model.features)
    if "reactivate" in context.settings:
        if not isinstance(model.head, LinearHead):
            raise lacking("reactivate", "a classifier of texts", {Need.LINEAR_HEAD})
        model.head = ReactivatedHead.beside(model.head)
    if "oppose" in context.settings:
        pair = torch.zeros(1, dtype=torch.int64)
        sizes = (num_classes, backbone.num_features)
        if context.settings["oppose"].get("mode") == FINETUNE:
            _, stage = cut_before_last_stage(backbone)
            model.pair_heads = PairNetworks(pair, pair, *sizes, stage)
        else:
            model.pair_heads = PairHeads(pair, pair, *sizes)
    if "affinity" in context.settings:
        model.affinity_heads = AffinityHeads((), (1,), None)
    return model.eval()
