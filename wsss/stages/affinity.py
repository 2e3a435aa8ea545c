"""Train heads that detect class boundaries (IRN) on confident labels from the seeds."""

from typing import Any, cast

import torch

from wsss.argument_checks import check_layers
from wsss.artifacts import SEED_STRIDE, LabelStore, SeedStore
from wsss.data.datasets import MaskedImages
from wsss.data.item_table import select
from wsss.data.source import TRAIN
from wsss.data.transforms import Augmentation
from wsss.errors import inside, user_error
from wsss.machine.devices import memory_format
from wsss.models import AffinityHeads, Backbone
from wsss.models.saved_networks import save_affinity_heads
from wsss.refine.affinity.pixel_pair_affinity import inner_maps
from wsss.refine.confident_labels import ConfidentLabels
from wsss.stage_tools.context import Context
from wsss.stage_tools.loaders import training_loader
from wsss.stage_tools.schedule_check import check_schedule
from wsss.stage_tools.seed_labels import LabelItem, write_labels
from wsss.stage_tools.trained_classifier import trained_classifier, untrained_classifier
from wsss.stage_tools.training import fit
from wsss.tasks import AffinityTask
from wsss.tasks.schedule import OptimizerFactory

VERSION = 2
INPUTS = ("classify", "reactivate", "localize")
SPLITS = (TRAIN,)
READS_MASKS = False
KEY_NUMBER = "affinity_loss"


def check(
    context: Context,
    *,
    labels: ConfidentLabels,
    augmentation: Augmentation,
    lr: float,
    max_epochs: int,
    batch_size: int,
    layers: list[str] | None = None,
    displacement_lr_factor: float = 10.0,
    checkpoint_every_n_epochs: int = 1,
    **_: Any,
) -> None:
    """Refuse a backbone without inner layers, and a schedule or CRF that cannot be run.

    Raises:
        WsssError: says which, and what can be done.
    """
    check_schedule(
        context, max_epochs, batch_size, lr, checkpoint_every_n_epochs,
        displacement_lr_factor=displacement_lr_factor,
    )  # fmt: skip
    with inside("labels"):
        labels.check()
    if augmentation.crop_px % SEED_STRIDE:
        raise user_error(
            "affinity.augmentation.crop_px",
            str(augmentation.crop_px),
            f"a multiple of {SEED_STRIDE}: relations are learned at a quarter of the size",
            "Correct the value.",
        )
    if "classify" in context.settings:
        _layer_names(cast("Backbone", untrained_classifier(context).features), layers)


def run(
    context: Context,
    *,
    labels: ConfidentLabels,
    optimizer: OptimizerFactory,
    lr: float,
    max_epochs: int,
    batch_size: int,
    augmentation: Augmentation,
    layers: list[str] | None = None,
    displacement_channels: int | None = None,
    displacement_lr_factor: float = 10.0,
    radius: int = 10,
    checkpoint_every_n_epochs: int = 1,
) -> dict[str, float]:
    """Write confident labels, as `labels/<id>.png`, and train IRN's heads on them.

    The backbone is the classifier's and stays as it is (Ahn, Cho and Kwak, CVPR 2019).

    Args:
        context: data, folders, processes.
        labels: turns an image and its seeds into labels; uncertain pixels become void.
        optimizer: called with parameter groups.
        lr: learning rate of the boundary branch.
        max_epochs: passes over the training images.
        batch_size: images a step, over all processes together.
        augmentation: how images and labels are varied.
        layers: names of inner layers of the backbone; None takes all.
        displacement_channels: width of the displacement branch; None trains none: it shares no
            weights with the boundary branch, and semantic masks do not use it.
        displacement_lr_factor: that branch learns this many times faster.
        radius: pairs nearer than this are compared, in pixels of maps at a quarter of the size.
        checkpoint_every_n_epochs: how much a killed run loses at most.

    Returns:
        `affinity_loss` and `train_loss` of the last epoch, and the number of `images` with labels.
    """
    items = context.items(TRAIN)
    seeds = SeedStore(context.inputs["localize"] / "seeds")
    store = LabelStore(context.folder / "labels")
    task_of_item = LabelItem(context.source.reader, seeds, store, labels)
    write_labels(context, items, task_of_item, "certain labels")
    trunk = cast("Backbone", trained_classifier(context).features)
    trunk.to(memory_format=memory_format(context.fabric.device))
    names = _layer_names(trunk, layers)
    torch.manual_seed(context.seed)
    heads = AffinityHeads(names, _channels(trunk, names), displacement_channels)
    labelled = select(items, store.has)
    images = MaskedImages(context.source, labelled, store.read, augmentation, context.seed)
    task = AffinityTask(trunk, heads, optimizer, lr, displacement_lr_factor, radius)
    train = training_loader(context, images, batch_size)
    numbers = fit(context, task, train, None, max_epochs, checkpoint_every_n_epochs, labelled)
    if context.is_main:
        save_affinity_heads(context.folder, heads.cpu())
    kept = {key: numbers[key] for key in (KEY_NUMBER, "train_loss")}
    return kept | {"images": float(len(labelled))}


def _layer_names(trunk: Backbone, chosen: list[str] | None) -> tuple[str, ...]:
    """The chosen inner layers, or all of them, shallow to deep.

    Raises:
        WsssError: the backbone has none, or not these.
    """
    known = tuple(trunk.inner_layers)
    if not known:
        raise user_error(
            "refine=affinity",
            f"{trunk.name}, which shows no inner layers",
            "a convolutional network such as efficientnet_lite0 or resnet50",
            "Choose another `backbone`, or `refine=feature_affinity`, which needs none.",
        )
    check_layers(chosen or (), known)
    return known if not chosen else tuple(name for name in known if name in chosen)


def _channels(trunk: Backbone, names: tuple[str, ...]) -> list[int]:
    """Channels of inner layers, found by a forward pass of a small image."""
    side = 2 * trunk.output_stride
    layers = [trunk.inner_layers[name] for name in names]
    return [one.shape[1] for one in inner_maps(trunk, layers, torch.zeros(1, 3, side, side))]
