"""Messages about a batch name its images."""

import re

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from wsss.data.random_seeds import epoch_sampler
from wsss.data.sample import Item
from wsss.errors import WsssError
from wsss.stage_tools.batch_items import ids_of_batch
from wsss.stage_tools.context import Context
from wsss.stage_tools.training import fit

ITEMS = tuple(Item(f"image {number}", ()) for number in range(7))


class Numbers(torch.utils.data.Dataset):
    """The index of each sample."""

    def __len__(self):
        return len(ITEMS)

    def __getitem__(self, key):
        return key[1]


class Diverging(pl.LightningModule):
    """Has no finite loss in the second batch of the second epoch, and notes what it saw there."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.seen = []

    def training_step(self, batch, index):
        if (self.current_epoch, index) == (1, 1):
            self.seen += batch.tolist()
        loss = self.weight.sum() + (torch.nan if self.seen else 0)
        self.log("numbers/train_loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def loader(rank, ranks, batch_size=2):
    sampler = epoch_sampler(Numbers(), rank, ranks, seed=3)
    return DataLoader(Numbers(), batch_size=batch_size, sampler=sampler)


def test_a_loss_that_is_no_number_names_the_images_that_the_network_saw(tmp_path):
    module = Diverging()
    context = Context(source=None, folder=tmp_path, trainer={"accelerator": "cpu", "devices": 1})
    with pytest.raises(WsssError) as caught:
        fit(context, module, loader(0, 1), None, max_epochs=3, items=ITEMS)
    (problem,) = caught.value.problems
    assert "epoch 2, batch 2" in problem.where
    named = [int(number) for number in re.findall(r"image (\d)", problem.where)]
    assert named == module.seen
    assert len(named) == 2


def test_batches_of_all_ranks_are_those_that_their_loaders_give():
    for rank in range(2):
        own = loader(rank, 2)
        for epoch in range(2):
            own.sampler.set_epoch(epoch)
            for number, batch in enumerate(own):
                expected = [ITEMS[index].id for index in batch.tolist()]
                assert ids_of_batch(own, ITEMS, epoch, number) == expected
        own.sampler.set_epoch(5)
        ids_of_batch(own, ITEMS, 0, 0)
        assert own.sampler.epoch == 5


def test_other_orders_tell_nothing():
    assert ids_of_batch(DataLoader(Numbers(), batch_size=2), ITEMS, 0, 0) == []
