"""Train the classifier on image tags."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn

from wsss.argument_checks import check_whole
from wsss.data.item_table import joined
from wsss.data.pyramids import Scales
from wsss.data.source import TRAIN, VAL
from wsss.data.transforms import Augmentation
from wsss.errors import InvalidOptionError, inside, user_error
from wsss.losses import balanced_class_weights
from wsss.machine.devices import memory_format
from wsss.models import Backbone, SplitClassifier
from wsss.models.saved_networks import save_classifier
from wsss.stage_tools.context import Context
from wsss.stage_tools.feature_views import FeatureViews, feature_loader, feature_validation
from wsss.stage_tools.loaders import image_loaders
from wsss.stage_tools.pooled_features import store_pooled_features
from wsss.stage_tools.schedule_check import check_schedule
from wsss.stage_tools.trained_classifier import untrained_classifier
from wsss.stage_tools.training import Loader, fit
from wsss.tasks import ClassificationTask
from wsss.tasks.schedule import OptimizerFactory, layer_decay_groups

VERSION = 3
INPUTS: tuple[str, ...] = ()
SPLITS = (TRAIN, VAL)
READS_MASKS = False
KEY_NUMBER = "val_map"


def check(
    context: Context,
    *,
    freeze: str,
    lr: float,
    head_lr_factor: float,
    max_epochs: int,
    batch_size: int,
    augmentation: Augmentation | None = None,
    feature_windows: int = 0,
    checkpoint_every_n_epochs: int = 1,
    layer_decay: float | None = None,
    **_: Any,
) -> None:
    """Find out before anything is computed whether the classifier can be trained.

    Raises:
        WsssError: no augmentation for a backbone that learns, a schedule that cannot be run, a
            decay by layers for a network that cannot have it, or fewer images than processes.
    """
    if freeze != "backbone" and augmentation is None:
        raise user_error(
            "classify.augmentation",
            "no augmentation for a backbone that learns",
            "an augmentation, or a frozen backbone",
            "Use `classify=finetune`, or set classify.freeze=backbone.",
        )
    check_whole(0, feature_windows=feature_windows)
    check_schedule(
        context, max_epochs, batch_size, lr, checkpoint_every_n_epochs,
        head_lr_factor=head_lr_factor,
    )  # fmt: skip
    if layer_decay is not None:
        check_layer_decay(context, freeze, layer_decay)
    ranks = context.fabric.world_size
    for split in SPLITS:
        if (images := len(context.items(split))) < ranks:
            raise user_error(
                f"trainer.devices={ranks}",
                f"{images} images in the split `{split}` for {ranks} processes",
                "an image for every process",
                "Use fewer processes.",
            )


def check_layer_decay(context: Context, freeze: str, layer_decay: float) -> None:
    """Refuse a decay by layers out of range, or where no layers learn or tell themselves.

    Raises:
        WsssError: names what was expected.
    """
    if not 0 < layer_decay <= 1:
        raise InvalidOptionError("layer_decay", layer_decay, "a number above 0, up to 1")
    if freeze == "backbone":
        expected = "none where the backbone is frozen"
        raise InvalidOptionError("layer_decay", layer_decay, expected)
    trunk = cast("Backbone", untrained_classifier(context).features)
    layer_decay_groups(trunk.network, 1.0, layer_decay)


def run(
    context: Context,
    *,
    backbone: Callable[..., Backbone],
    freeze: str,
    optimizer: OptimizerFactory,
    lr: float,
    head_lr_factor: float,
    max_epochs: int,
    batch_size: int,
    bias: bool = False,
    class_balanced: bool = False,
    feature_scales: Scales | None = None,
    feature_windows: int = 0,
    augmentation: Augmentation | None = None,
    checkpoint_every_n_epochs: int = 1,
    layer_decay: float | None = None,
) -> dict[str, float]:
    """Train a backbone with a linear head on tags and export it.

    A backbone that is frozen whole computes its features once and only the head is trained, which
    is what makes a CPU enough; otherwise the images are augmented anew in every epoch.

    Args:
        context: data, folders, processes.
        backbone: makes the network without its head; called with `freeze`.
        freeze: `backbone` trains the head alone; `stem`, `none` and inner layers train the rest,
            too.
        optimizer: called with parameter groups.
        lr: learning rate of the backbone.
        head_lr_factor: the head learns this many times faster.
        max_epochs: passes over the training images.
        batch_size: images a step, over all processes together.
        bias: whether the head has a bias.
        class_balanced: weigh rare classes up in the loss.
        feature_scales: views of each image that a frozen backbone computes; mirrored ones join.
        feature_windows: random windows of each view that a frozen backbone also pools.
        augmentation: how images are varied when the backbone learns.
        checkpoint_every_n_epochs: how much a killed run loses at most.
        layer_decay: factor of the learning rate from a layer of the backbone to the one before,
            such as 0.75; None for one rate.

    Returns:
        `val_map`: macro average precision of the validation tags, the last epoch's; and the loss.
    """
    torch.manual_seed(context.seed)
    names = context.source.class_names
    with inside("backbone"):
        trunk = backbone(freeze=freeze).to(memory_format=memory_format(context.fabric.device))
    model = SplitClassifier.linear(trunk, len(names), bias)
    items = context.items(TRAIN)
    weights = None
    if class_balanced:
        weights = balanced_class_weights(torch.from_numpy(context.source.tag_matrix(items)))
    frozen = freeze == "backbone"
    train: Loader
    val: Loader
    if frozen:
        scales = feature_scales or Scales()
        folder = context.folder / "features"
        everything = joined(items, context.items(VAL))
        store_pooled_features(context, trunk, everything, scales, feature_windows, folder)
        views = FeatureViews(context, items, folder)
        items = views.items
        train = feature_loader(context, views, batch_size)
        val = feature_validation(context, folder)
    else:
        assert augmentation is not None  # See `check`.
        train, val = image_loaders(context, augmentation, batch_size)
    task = ClassificationTask(
        nn.Identity() if frozen else trunk,
        model.head,
        optimizer,
        lr,
        head_lr_factor,
        weights,
        layer_decay,
    )
    numbers = fit(context, task, train, val, max_epochs, checkpoint_every_n_epochs, items)
    if context.is_main:
        save_classifier(context.folder, model.cpu(), names)
    return {key: numbers[key] for key in (KEY_NUMBER, "train_loss") if key in numbers}
