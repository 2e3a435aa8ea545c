"""What a segmenter's training is given by its stages, without training."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from wsss.artifacts import LabelStore
from wsss.data.source import TRAIN
from wsss.data.sources.synthetic import Synthetic
from wsss.data.transforms import Augmentation
from wsss.losses import GeneralisedCrossEntropy
from wsss.stage_tools import segmenter_training
from wsss.stage_tools.context import Context
from wsss.stages import oracle_bound, segment

SETTINGS = {
    "segmenter": lambda num_classes, trains_from=None: nn.Conv2d(3, num_classes + 1, 1),
    "optimizer": partial(torch.optim.SGD),
    "augmentation": Augmentation(crop_px=32),
    "lr": 0.01,
    "head_lr_factor": 3.0,
    "max_epochs": 7,
    "batch_size": 2,
    "checkpoint_every_n_epochs": 5,
    "ema_decay": 0.9,
    "copy_paste": 0.25,
    "classifier_weight": 0.5,
}


class CaughtError(Exception):
    """What `fit` was called with."""


def caught(stage, context, **more):
    with pytest.raises(CaughtError) as caught:
        stage.run(context, **SETTINGS, **more)
    return caught.value.args


@pytest.fixture
def context(monkeypatch, tmp_path):
    def fit(*arguments):
        raise CaughtError(*arguments)

    monkeypatch.setattr(segmenter_training, "fit", fit)
    source = Synthetic(num_train=4, num_val=2, size_px=64)
    masks = LabelStore(tmp_path / "masks")
    for item in source.items(TRAIN):
        masks.write(item, np.zeros((64, 64), dtype=np.uint8))
    inputs = {"refine": tmp_path}
    trainer = {"accelerator": "cpu", "devices": 1}
    return Context(source, tmp_path, trainer=trainer, inputs=inputs, application="oracle_bound")


def test_settings_of_the_stage_reach_the_training(context):
    loss = GeneralisedCrossEntropy(0.5)
    given, task, loader, val, epochs, every, items, decay = caught(segment, context, loss=loss)
    assert given is context
    assert (task.loss, task.lr, task.head_lr_factor) == (loss, 0.01, 3.0)
    assert (loader.dataset.copy_paste, loader.dataset.augmentation.crop_px) == (0.25, 32)
    assert (val, epochs, every, decay, loader.batch_size) == (None, 7, 5, 0.9, 2)
    assert [item.id for item in items] == [item.id for item in context.source.items(TRAIN)]


def test_the_bound_learns_from_true_masks_in_the_same_way(context):
    _, task, loader, _, epochs, _, _, decay = caught(oracle_bound, context, scales=None)
    item = context.source.items(TRAIN)[0]
    mask = context.source.read_mask(item)
    np.testing.assert_array_equal(loader.dataset.read_pseudo_mask(item), mask)
    assert (loader.dataset.copy_paste, epochs, decay, task.lr) == (0.25, 7, 0.9, 0.01)
