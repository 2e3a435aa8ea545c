"""Learn from the pseudo masks of all images what background and classes look like in features."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from wsss.argument_checks import check_whole
from wsss.artifacts import LabelStore, SeedStore, seed_size
from wsss.data.colours import in_unit_range
from wsss.data.item_table import select, take
from wsss.data.pyramids import PyramidBatch, Scales
from wsss.data.random_seeds import epoch_sampler
from wsss.data.sample import Item
from wsss.data.source import TRAIN
from wsss.errors import inside, user_error
from wsss.models import PixelProbe, SplitClassifier
from wsss.models.affinity_heads import resize
from wsss.models.pixel_probe import tag_probabilities
from wsss.refine import CrfRefinement
from wsss.refine.hypercolumn_probe import HypercolumnProbe
from wsss.stage_tools.context import Context
from wsss.stage_tools.feature_batches import FeatureBatches
from wsss.stage_tools.labelled_cells import Cells, CellStore, store_cells
from wsss.stage_tools.pooled_threshold import fit_to_data_set
from wsss.stage_tools.schedule_check import check_schedule
from wsss.stage_tools.seed_labels import LabelItem, write_labels
from wsss.stage_tools.seed_writing import ImageMaps, check_method, write_seeds
from wsss.stage_tools.trained_classifier import trained_classifier
from wsss.stage_tools.training import fit
from wsss.tasks import PixelProbeTask
from wsss.tasks.schedule import OptimizerFactory

VERSION = 4
INPUTS = ("classify", "reactivate", "localize", "propagate")
SPLITS = (TRAIN,)
READS_MASKS = False
KEY_NUMBER = "train_loss"


def check(
    context: Context,
    *,
    labels: CrfRefinement,
    method: HypercolumnProbe,
    lr: float,
    max_epochs: int,
    batch_size: int,
    cells_per_image: int = 256,
    most_cells: int = 400_000,
    checkpoint_every_n_epochs: int = 1,
    **_: Any,
) -> None:
    """Refuse layers that the classifier lacks, and a schedule or CRF that cannot be run.

    Raises:
        WsssError: says which, and what can be done.
    """
    check_schedule(context, max_epochs, batch_size, lr, checkpoint_every_n_epochs)
    check_whole(1, cells_per_image=cells_per_image, most_cells=most_cells)
    with inside("labels"):
        labels.check()
    check_method(context, method)


def run(
    context: Context,
    *,
    labels: CrfRefinement,
    method: HypercolumnProbe,
    scales: Scales,
    optimizer: OptimizerFactory,
    lr: float,
    max_epochs: int,
    batch_size: int,
    flip: bool = True,
    cells_per_image: int = 256,
    most_cells: int = 400_000,
    checkpoint_every_n_epochs: int = 1,
) -> dict[str, float]:
    """Write the seeds of every training image as a linear probe sees them, as `seeds/<id>.npz`.

    Maps show the most telling parts of objects, image by image. A linear layer that learns from
    the masks of all images what background and classes look like finds the other parts, too: it is
    too simple to learn each mask's errors. Ours; linear probes are Alain and Bengio's (2016).

    Its probabilities are those of background and the image's tags alone, averaged over scales and
    mirror images; background has what the maps leave of 1. Networks side by side have a layer each,
    whose probabilities are averaged, too.

    Args:
        context: data, folders, processes.
        labels: turns an image and its seeds into the mask that is learnt from.
        method: chooses the features of the classifier, which stays as it is.
        scales: at which images are seen, to learn from and to look at.
        optimizer: called with parameter groups.
        lr: learning rate.
        max_epochs: passes over the cells.
        batch_size: cells a step, over all processes together.
        flip: see every scale mirrored, too.
        cells_per_image: cells of feature maps that are learnt from, of all scales and mirror
            images of an image together.
        most_cells: of all images together, which bounds memory: 2 bytes a feature, which is 4 kB
            each of EfficientNet-Lite0 and 7 kB of Lite0 and Lite2. Of more images than that only
            some, evenly spaced, are learnt from.
        checkpoint_every_n_epochs: how much a killed run loses at most.

    Returns:
        `images`: number of seed files; `train_loss` of the last epoch.
    """
    items = context.items(TRAIN)
    before = context.inputs.get("propagate", context.inputs["localize"])
    seeds, masks = SeedStore(before / "seeds"), LabelStore(context.folder / "labels")
    labels = fit_to_data_set(context, labels, items, seeds)
    labelling = LabelItem(context.source.reader, seeds, masks, labels)
    write_labels(context, items, labelling, "first masks")
    labelled = select(items, masks.has)
    passes = len(scales.factors) * (2 if flip else 1)
    # A pass draws one cell at least: beyond that it is fewer images that keep memory bounded.
    step = -(-len(labelled) * passes // most_cells) or 1
    labelled = take(labelled, range(0, len(labelled), step))
    of_image = min(cells_per_image, most_cells // max(1, len(labelled)))
    store = CellStore(context.folder / "cells")
    model = trained_classifier(context)
    num_features = method.num_features(model)
    store_cells(
        context, model, method, labelled, masks, scales, flip, max(1, of_image // passes), store
    )
    cells = _joined([store.read(item) for item in labelled if store.has(item)])
    probe = PixelProbe(num_features, len(context.source.class_names))
    probe.standardise(*statistics_of(cells.features))
    torch.manual_seed(context.seed)
    task = PixelProbeTask(probe, optimizer, lr)
    train = _batches(context, cells, batch_size)
    numbers = fit(context, task, train, None, max_epochs, checkpoint_every_n_epochs)
    method.probe = probe.to(context.fabric.device).requires_grad_(False)

    def probed(
        model: SplitClassifier, method: HypercolumnProbe, batch: PyramidBatch
    ) -> list[ImageMaps]:
        levels = [in_unit_range(level.to(context.fabric.device)) for level in batch.pyramid]
        logits = [method(model, level).float() for level in levels]
        if flip:
            logits += [method(model, level.flip(-1)).float().flip(-1) for level in levels]
        return [
            ImageMaps(_mean_probabilities([one[index] for one in logits], item, size))
            for index, (item, size) in enumerate(zip(batch.items, batch.sizes, strict=True))
        ]

    written = write_seeds(context, method, probed, scales, 8, "probe")
    return {**written, KEY_NUMBER: numbers[KEY_NUMBER]}


def statistics_of(
    features: Float[np.ndarray, "n k"], rows: int = 4096
) -> tuple[Float[Tensor, " k"], Float[Tensor, " k"]]:
    """Mean and standard deviation of each feature, added up in float64, `rows` at once."""
    total, squares = np.zeros(features.shape[1]), np.zeros(features.shape[1])
    for first in range(0, len(features), rows):
        some = features[first : first + rows].astype(np.float64)
        total += some.sum(axis=0)
        squares += (some**2).sum(axis=0)
    mean = total / len(features)
    variance = np.maximum(squares / len(features) - mean**2, 0)
    return torch.from_numpy(mean).float(), torch.from_numpy(np.sqrt(variance)).float()


def _mean_probabilities(
    logits: list[Float[Tensor, "n c1 _ _"]], item: Item, size: tuple[int, int]
) -> Float[Tensor, "t h w"]:
    """The probabilities of an image's tags at the size of its seeds.

    Averaged over all passes and networks.
    """
    passes = [tag_probabilities(one, item.labels) for networks in logits for one in networks]
    if not item.labels:
        return passes[0]
    return torch.stack([resize(one[None], seed_size(*size))[0] for one in passes]).mean(dim=0)


def _joined(cells: Sequence[Cells]) -> Cells:
    """The cells of all images, one after another.

    Raises:
        WsssError: there are none.
    """
    if not any(len(one.features) for one in cells):
        raise user_error(
            "probe", "no image has a pixel that is labelled in its first mask",
            "masks with background or classes", "Lower probe.labels.min_confidence.",
        )  # fmt: skip
    features, shares = zip(*cells, strict=True)
    return Cells(np.concatenate(features), np.concatenate(shares))


def _batches(context: Context, cells: Cells, batch_size: int) -> FeatureBatches:
    """This rank's share of shuffled cells, from the memory of its device."""
    fabric = context.fabric
    features = torch.from_numpy(cells.features)[:, None].to(fabric.device)
    shares = torch.from_numpy(cells.shares).float().to(fabric.device)
    sampler = epoch_sampler(features, fabric.global_rank, fabric.world_size, context.seed)  # type: ignore[arg-type]
    own_batch = batch_size // fabric.world_size
    return FeatureBatches(
        features, shares, lambda _epoch, _index: 0, sampler, own_batch,
        drop_last=len(sampler) >= own_batch, sample="cell",
    )  # fmt: skip
