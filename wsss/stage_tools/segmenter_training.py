"""The training of a segmenter on masks, whoever made them."""

from collections.abc import Callable, Mapping, Sequence

import torch

from wsss.argument_checks import check_at_least, check_fraction, check_number
from wsss.data.datasets import MaskedImages, MaskReader
from wsss.data.sample import Item
from wsss.data.source import TRAIN
from wsss.data.transforms import Augmentation
from wsss.errors import inside, user_error
from wsss.losses import PixelLoss
from wsss.machine.compilers import why_not_compiled
from wsss.machine.devices import memory_format
from wsss.models import Segmenter
from wsss.models.saved_networks import SEGMENTER, save_segmenter
from wsss.stage_tools.context import Context
from wsss.stage_tools.loaders import training_loader
from wsss.stage_tools.schedule_check import check_schedule
from wsss.stage_tools.trained_classifier import trained_classifier
from wsss.stage_tools.training import fit
from wsss.tasks import SegmentationTask
from wsss.tasks.schedule import OptimizerFactory


def check_segmenter_training(
    context: Context,
    num_images: int,
    *,
    segmenter: Callable[..., Segmenter],
    lr: float,
    head_lr_factor: float,
    max_epochs: int,
    batch_size: int,
    checkpoint_every_n_epochs: int = 1,
    compiled: bool = False,
    ema_decay: float = 0.0,
    classifier_weight: float = 0.0,
    copy_paste: float = 0.0,
) -> None:
    """Find out before anything is computed whether a segmenter can be trained.

    Args:
        context: of the stage.
        num_images: usable training images, over all processes.
        segmenter: called with `num_classes`.
        lr: learning rate of the encoder.
        head_lr_factor: the decoder learns this many times faster.
        max_epochs: passes over the training images.
        batch_size: images a step, over all processes.
        checkpoint_every_n_epochs: how much a killed run loses at most.
        compiled: whether torch.compile makes a program of the network.
        ema_decay: of the weights' moving average.
        classifier_weight: of the classifier's evidence.
        copy_paste: probability of other images' objects.

    Raises:
        WsssError: the network cannot be built or compiled, or its batches are too small.
    """
    if compiled and (reason := why_not_compiled(context.fabric.device)):
        raise user_error(
            f"{context.stage}.compiled=true", reason, "what torch.compile makes programs with",
            f"Install it, or leave {context.stage}.compiled out.",
        )  # fmt: skip
    check_schedule(
        context, max_epochs, batch_size, lr, checkpoint_every_n_epochs,
        head_lr_factor=head_lr_factor,
    )  # fmt: skip
    check_number(lambda value: 0 <= value < 1, "from 0, and below 1", ema_decay=ema_decay)
    check_at_least(0, classifier_weight=classifier_weight)
    check_fraction(copy_paste=copy_paste)
    with inside("segmenter"):
        segmenter(num_classes=len(context.source.class_names))
    ranks = context.fabric.world_size
    if num_images < 2 * ranks:
        raise user_error(
            f"split {TRAIN}", f"{num_images} usable images for {ranks} processes",
            "at least 2 training images for each process: the decoder normalises over its batch",
            "Add images, or use fewer processes.",
        )  # fmt: skip
    if batch_size // ranks < 2:
        raise user_error(
            f"{context.stage}.batch_size", "batches of a single image",
            "at least 2 images for each process: the decoder normalises over its batch",
            f"Set {context.stage}.batch_size to twice the number of processes, or more.",
        )  # fmt: skip


def train_segmenter(
    context: Context,
    items: Sequence[Item],
    read_mask: MaskReader,
    *,
    segmenter: Callable[..., Segmenter],
    optimizer: OptimizerFactory,
    augmentation: Augmentation,
    lr: float,
    head_lr_factor: float,
    max_epochs: int,
    batch_size: int,
    checkpoint_every_n_epochs: int = 1,
    compiled: bool = False,
    ema_decay: float = 0.0,
    classifier_weight: float = 0.0,
    copy_paste: float = 0.0,
    loss: PixelLoss | None = None,
    agreement: str = "pseudo_miou",
    file_name: str = SEGMENTER,
) -> Mapping[str, float]:
    """Train a segmenter on masks, from its last checkpoint if there is one, and export it.

    Args:
        context: data, folders, processes.
        items: the images to learn from.
        read_mask: reads the mask of one of them; sent to the processes of a loader.
        segmenter: called with `num_classes`.
        optimizer: called with parameter groups.
        augmentation: how images and masks are varied.
        lr: learning rate of the encoder.
        head_lr_factor: the decoder learns this many times faster.
        max_epochs: passes over the images.
        batch_size: images a step, over all processes together.
        checkpoint_every_n_epochs: how much a killed run loses at most.
        compiled: whether torch.compile makes a program of the network first, in a minute or more.
        ema_decay: see `fit`.
        classifier_weight: in predictions, probabilities of classes are multiplied by those that the
            run's classifier gives their tags, to this power; 0 leaves them out.
        copy_paste: probability that a sample gets the objects of another, too: see `pasted`.
        loss: of pixels; None: the cross-entropy.
        agreement: name of the mIoU with the (augmented) masks, which is logged beside `train_loss`.
        file_name: of the network, without its ending.

    Returns:
        What the training logged in its last epoch: see `fit`.
    """
    torch.manual_seed(context.seed)
    names = context.source.class_names
    model = segmenter(num_classes=len(names)).to(memory_format=memory_format(context.fabric.device))
    if compiled:
        model.compile()
    images = MaskedImages(context.source, items, read_mask, augmentation, context.seed, copy_paste)
    task = SegmentationTask(
        model, len(names), optimizer, lr, head_lr_factor, loss, context.stage, agreement
    )
    train = training_loader(context, images, batch_size)
    numbers = fit(
        context, task, train, None, max_epochs, checkpoint_every_n_epochs, items, ema_decay
    )
    if context.is_main:
        add_evidence(context, model.cpu(), classifier_weight)
        save_segmenter(context.folder, model, names, file_name)
    return numbers


def add_evidence(context: Context, model: Segmenter, classifier_weight: float) -> None:
    """Let a segmenter on a CPU take the evidence of the classifier; a weight of 0 does not."""
    if classifier_weight:
        model.take_evidence(trained_classifier(context), classifier_weight)
