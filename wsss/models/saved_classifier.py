"""The classifier of a finished stage, with its pair heads if there are any."""

from pathlib import Path
from typing import cast

from wsss.artifacts import Manifest
from wsss.errors import user_error
from wsss.models.backbones import Backbone
from wsss.models.classifier import SplitClassifier
from wsss.models.saved_networks import CLASSIFIER, PAIR_HEADS, load_classifier, load_pair_heads

TRAINERS = ("reactivate", "classify")
"""The stages that train a classifier, the later one first."""


def is_classifier(folder: Path) -> bool:
    """Whether the folder holds a classifier, or pair heads of one."""
    return any((folder / f"{name}.json").is_file() for name in (CLASSIFIER, PAIR_HEADS))


def load_finished(folder: Path) -> tuple[SplitClassifier, tuple[str, ...]]:
    """Read a classifier and its class names; evaluation mode, no gradients.

    Args:
        folder: of a stage that trains a classifier, or of the stage `oppose`, whose pair heads are
            attached to the classifier that they were trained on.

    Raises:
        WsssError: there is no classifier in the folder, nor where its manifest says.
    """
    model, names = load_classifier(_classifier_folder(folder))
    if _has_pair_heads(folder):
        model.pair_heads = load_pair_heads(folder, cast("Backbone", model.features))
    return model, names


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The files that `load_finished` reads weights from.

    Raises:
        WsssError: the folder holds pair heads, and does not say of which classifier.
    """
    own = (folder / f"{PAIR_HEADS}.safetensors",) if _has_pair_heads(folder) else ()
    return (_classifier_folder(folder) / f"{CLASSIFIER}.safetensors", *own)


def _has_pair_heads(folder: Path) -> bool:
    return (folder / f"{PAIR_HEADS}.json").is_file()


def _classifier_folder(folder: Path) -> Path:
    """Where the classifier is: here, or for pair heads in the folder of an earlier stage."""
    if not _has_pair_heads(folder):
        return folder
    manifest = Manifest.read(folder)
    inputs = {} if manifest is None else manifest.basis.get("inputs", {})
    for stage in TRAINERS:
        if stage in inputs:
            # Absolute, because the folder may be given as `.`.
            return folder.absolute().parents[1] / stage / str(inputs[stage])
    raise user_error(
        folder,
        "pair heads without a manifest that names their classifier",
        "the folder of a finished stage, as in runs/oppose/…",
        "Run the stage `oppose` to its end, or point to its folder inside the run's.",
    )
