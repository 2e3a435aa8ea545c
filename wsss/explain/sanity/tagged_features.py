"""The pooled features of a finished stage `classify`, with the tags of its images."""

from pathlib import Path

import numpy as np
import torch

from wsss.artifacts import Manifest
from wsss.data.item_table import select
from wsss.data.source import TRAIN, Source
from wsss.errors import user_error
from wsss.explain.sanity.permuted_tags import TaggedFeatures
from wsss.files import intact
from wsss.models.classifier import LinearHead, SplitClassifier
from wsss.stage_tools.pooled_features import features_path

FEATURES = "features"


def tagged_features(folder: Path, model: SplitClassifier, source: Source) -> TaggedFeatures:
    """Features of the training images, averaged over the whole image at the first scale.

    Args:
        folder: of the stage.
        model: its classifier.
        source: the data set.

    Raises:
        WsssError: the stage's backbone was not frozen, or it was trained on other images or tags.
    """
    manifest = Manifest.read(folder)
    if manifest is None or not (folder / FEATURES).is_dir() or type(model.head) is not LinearHead:
        raise user_error(
            f"checkpoint={folder}", "a classifier without pooled features",
            "a finished `classify` stage with a frozen backbone, to fit heads to permuted tags",
            "Leave `data` out, which checks random weights alone.",
        )  # fmt: skip
    noted = manifest.basis.get("data", {}).get(TRAIN)
    if noted is not None and noted != source.fingerprint(TRAIN):
        raise user_error(
            "data", "training images or tags that are not those of the classifier",
            "the data set that it was trained on", "Give the `data=…` of its run.",
        )  # fmt: skip
    items = select(source.items(TRAIN), lambda one: features_path(folder / FEATURES, one).is_file())
    views = []
    for item in items:
        path = features_path(folder / FEATURES, item)
        with intact(path):
            views.append(np.load(path, allow_pickle=False, mmap_mode="r")[0].copy())
    return TaggedFeatures(
        torch.from_numpy(np.stack(views)), torch.from_numpy(source.tag_matrix(items))
    )
