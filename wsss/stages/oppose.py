"""Train classifiers of every class against representative opponents."""

from math import isfinite
from pathlib import Path
from typing import Any, cast

import torch

from wsss.cams.meng.representatives import Grouping, class_descriptors, group_classes, pairs_of
from wsss.data.item_table import joined
from wsss.data.pyramids import Scales
from wsss.data.source import TRAIN, VAL
from wsss.data.transforms import Augmentation
from wsss.errors import user_error
from wsss.models import Backbone, PairHeads, PairNetworks
from wsss.models.last_block import cut_before_last_stage
from wsss.models.saved_networks import save_pair_heads
from wsss.stage_tools.context import Context
from wsss.stage_tools.feature_views import FeatureViews, feature_loader, feature_validation
from wsss.stage_tools.loaders import image_loaders
from wsss.stage_tools.pooled_features import store_pooled_features
from wsss.stage_tools.schedule_check import check_schedule
from wsss.stage_tools.trained_classifier import FINETUNE, trained_classifier
from wsss.stage_tools.training import Loader, fit
from wsss.tasks import OppositionTask, PairTuningTask
from wsss.tasks.schedule import OptimizerFactory

VERSION = 2
INPUTS = ("classify", "reactivate")
SPLITS = (TRAIN, VAL)
READS_MASKS = False
KEY_NUMBER = "val_accuracy"
HEADS = "heads"


def check(
    context: Context,
    *,
    lr: float,
    max_epochs: int,
    batch_size: int,
    mode: str = HEADS,
    augmentation: Augmentation | None = None,
    head_lr_factor: float = 10.0,
    checkpoint_every_n_epochs: int = 1,
    **_: Any,
) -> None:
    """Refuse a mode that does not exist or lacks its augmentation, and a schedule that cannot run.

    Raises:
        WsssError: names what is wrong.
    """
    if mode not in (HEADS, FINETUNE):
        raise user_error(
            "oppose.mode", f"{mode!r}", f"{HEADS} or {FINETUNE}",
            "Leave it out, or use `oppose=meng_finetune`.",
        )  # fmt: skip
    if mode == FINETUNE and augmentation is None:
        raise user_error(
            "oppose.augmentation", "no augmentation for last stages that learn",
            "an augmentation", "Use `oppose=meng_finetune`.",
        )  # fmt: skip
    check_schedule(
        context, max_epochs, batch_size, lr, checkpoint_every_n_epochs,
        head_lr_factor=head_lr_factor,
    )  # fmt: skip


def run(
    context: Context,
    *,
    grouping: Grouping,
    optimizer: OptimizerFactory,
    lr: float,
    max_epochs: int,
    batch_size: int,
    num_representatives: int | None = None,
    min_single_label_images: int = 20,
    replace_self: bool = True,
    checkpoint_every_n_epochs: int = 1,
    mode: str = HEADS,
    head_lr_factor: float = 10.0,
    augmentation: Augmentation | None = None,
) -> dict[str, float]:
    """Choose representative classes and train a head for every class against each of them.

    Reconstruction from the published abstract (Meng et al., arXiv 1901.07683). The backbone stays
    as the classifier left it; only its pooled features are needed, which a frozen classifier has
    stored already. With `mode=finetune` every pair also learns a copy of the backbone's last stage,
    from images.

    Args:
        context: data, folders, processes.
        grouping: clusters the classes' descriptors.
        optimizer: called with what is learned.
        lr: learning rate.
        max_epochs: passes over the training images.
        batch_size: images a step, over all processes together.
        num_representatives: R; the rounded root of the number of classes if None.
        min_single_label_images: a class with so many images of no other class is described by
            those alone.
        replace_self: a class that is a representative itself is compared with the second-best of
            its group instead.
        checkpoint_every_n_epochs: how much a killed run loses at most.
        mode: `heads`, or `finetune`, whose memory and disk grow by a last stage for each pair.
        head_lr_factor: when fine-tuning, the heads learn this many times faster.
        augmentation: how images are varied when fine-tuning.

    Returns:
        `val_accuracy`: share of right decisions on validation images that have exactly one class of
        a pair; the loss, a pair's mean; and the numbers of representatives and pairs.

    Raises:
        WsssError: a class has no opponent.
    """
    torch.manual_seed(context.seed)
    folder = _pooled_features(context)
    train = FeatureViews(context, context.items(TRAIN), folder)
    names = context.source.class_names
    unvaried = FeatureViews(context, context.items(TRAIN), folder, first_view_only=True)
    whole = torch.stack(
        [unvaried[0, index]["images"].flatten() for index in range(len(unvaried))]
    ).double()
    descriptors = class_descriptors(whole.numpy(), train.tags.numpy(), min_single_label_images)
    groups = context.fabric.broadcast(group_classes(descriptors, num_representatives, grouping))
    pairs = pairs_of(groups, range(len(names)), replace_self)
    if alone := set(range(len(names))) - {target for target, _ in pairs}:
        raise user_error(
            "oppose",
            f"no opponent for {', '.join(names[target] for target in sorted(alone)[:3])}",
            "two classes with training images, and at least one opponent for each",
            "Set oppose.num_representatives=2 or more, or oppose.replace_self=true.",
        )
    targets, opponents = (torch.tensor(classes) for classes in zip(*pairs, strict=True))
    sizes = (len(names), whole.shape[1])
    heads: PairHeads
    task: OppositionTask
    loader: Loader
    val: Loader
    if mode == FINETUNE:
        assert augmentation is not None  # See `check`.
        trunk, stage = cut_before_last_stage(cast("Backbone", trained_classifier(context).features))
        heads = networks = PairNetworks(targets, opponents, *sizes, stage)
        task = PairTuningTask(trunk, networks, optimizer, lr, head_lr_factor)
        loader, val = image_loaders(context, augmentation, batch_size)
    else:
        heads = PairHeads(targets, opponents, *sizes)
        task = OppositionTask(heads, optimizer, lr)
        loader = feature_loader(context, train, batch_size)
        val = feature_validation(context, folder)
    items = context.items(TRAIN) if mode == FINETUNE else train.items
    numbers = fit(context, task, loader, val, max_epochs, checkpoint_every_n_epochs, items)
    if context.is_main:
        save_pair_heads(context.folder, heads.cpu(), names)
    # Without a validation image that has exactly one class of a pair, there is no accuracy.
    kept = {
        key: numbers[key]
        for key in (KEY_NUMBER, "train_loss")
        if key in numbers and isfinite(numbers[key])
    }
    return kept | {"representatives": float(len(groups)), "pairs": float(len(pairs))}


def _pooled_features(context: Context) -> Path:
    """The folder of the images' pooled features: the classifier's, if its backbone was frozen."""
    stored = context.inputs["classify"] / "features"
    if "reactivate" not in context.inputs and stored.is_dir():
        return stored
    folder = context.folder / "features"
    backbone = cast("Backbone", trained_classifier(context).features)
    items = joined(context.items(TRAIN), context.items(VAL))
    scales = Scales(multiple_px=backbone.output_stride)
    store_pooled_features(context, backbone, items, scales, 0, folder)
    return folder
