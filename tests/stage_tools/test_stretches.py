"""Long epochs, trained in stretches with a checkpoint after each."""

import csv

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import Dataset, DistributedSampler

from wsss.data.random_seeds import epoch_sampler
from wsss.errors import WsssError
from wsss.report.training_curves import read_curves
from wsss.stage_tools import loaders
from wsss.stage_tools.batch_items import ids_of_batch
from wsss.stage_tools.checkpoints import last_checkpoint
from wsss.stage_tools.context import Context
from wsss.stage_tools.loaders import training_loader
from wsss.stage_tools.training import fit

SAMPLES, BATCH = 13, 2  # Six whole batches: three stretches of two.
EPOCHS = 2


class Samples(Dataset):
    """Numbers, by epoch and index."""

    def __len__(self):
        return SAMPLES

    def __getitem__(self, key):
        return torch.tensor([*map(float, key)])


class Noisy(pl.LightningModule):
    """A weight that follows its samples and torch's random numbers, and notes what it sees."""

    def __init__(self, fails_at=None, broken_at=None):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.fails_at, self.broken_at = fails_at, broken_at
        self.seen, self.validated = [], []

    def training_step(self, batch, _):
        if self.global_step == self.fails_at:
            raise KeyboardInterrupt
        self.seen += batch.tolist()
        noise = torch.inf if self.global_step == self.broken_at else torch.rand(1)
        loss = ((self.weight - batch[:, 1] / SAMPLES) ** 2).mean() + (self.weight * noise).sum()
        self.log("noisy/train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, *_):
        self.validated.append(self.global_step)
        self.log("noisy/val_loss", self.weight.mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


@pytest.fixture
def short_stretches(monkeypatch):
    monkeypatch.setattr(loaders, "STEPS_OF_STRETCH", 2)


@pytest.fixture
def train(short_stretches, tmp_path):
    def run(name, every=1, **options):
        trainer = {"accelerator": "cpu", "devices": 1}
        context = Context(None, tmp_path / "segment" / name, trainer=trainer, seed=5, workers=0)
        loader = training_loader(context, Samples(), BATCH)
        val = training_loader(context, Samples(), BATCH)
        module = Noisy(**options)
        items = [type("Item", (), {"id": f"image {index}"}) for index in range(SAMPLES)]
        numbers = fit(context, module, loader, val, EPOCHS, every, items)
        return module, numbers, context

    return run


def test_an_epoch_is_handed_out_whole_but_for_what_is_over():
    for rank in range(2):
        sampler = epoch_sampler(list(range(11)), rank, 2, seed=0)
        sampler.split(2, 2)
        assert len(sampler) == 2
        stretches = []
        for counted in (8, 9):
            sampler.set_epoch(counted)
            stretches += sampler
        torchs = DistributedSampler(
            list(range(11)), num_replicas=2, rank=rank, seed=0, drop_last=True
        )
        torchs.set_epoch(4)
        assert stretches == [(4, index) for index in [*torchs][:4]]


def test_every_sample_comes_once_in_an_epoch_and_is_validated_on_after_it(train):
    module, numbers, context = train("whole")
    assert len(module.seen) == EPOCHS * 12
    for epoch in range(EPOCHS):
        of_epoch = module.seen[epoch * 12 : (epoch + 1) * 12]
        assert {one for one, _ in of_epoch} == {epoch}
        assert len({index for _, index in of_epoch}) == 12
    assert {*module.validated} == {6, 12}
    assert context.measured.schedule["steps"] == 12
    assert {*numbers} == {"train_loss", "val_loss"}


def test_a_run_that_is_killed_loses_a_stretch_at_most(train, caplog):
    """In the middle of the second epoch's second stretch, whose first one is kept."""
    caplog.set_level("INFO")
    whole, numbers, _ = train("whole")
    with pytest.raises(KeyboardInterrupt):
        train("killed", fails_at=9)
    again, resumed, context = train("killed")
    assert "segment goes on from epoch 2 of 2" in caplog.text
    assert again.seen == whole.seen[8 * BATCH :]
    assert again.weight.item() == whole.weight.item()
    assert resumed == numbers
    assert read_curves(context.folder)[0].axis == "step"


def test_checkpoints_of_several_epochs_are_those_of_whole_ones(train):
    _, _, context = train("whole", every=2)
    assert last_checkpoint(context.folder / "checkpoints").name == "epoch=0005.ckpt"
    with pytest.raises(KeyboardInterrupt):
        train("killed", every=2, fails_at=10)
    assert last_checkpoint(context.folder.with_name("killed") / "checkpoints") is None


def test_loggers_are_told_the_epoch(train):
    _, _, context = train("whole")
    with next(context.folder.glob("curves/*/metrics.csv")).open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["noisy/train_loss"]]
    assert [float(row["epoch"]) for row in rows] == [0, 0, 0, 1, 1, 1]


def test_a_broken_batch_is_counted_in_its_epoch(train, tmp_path):
    with pytest.raises(WsssError) as caught:
        train("broken", broken_at=9)
    (problem,) = caught.value.problems
    context = Context(None, tmp_path, seed=5, workers=0)
    loader = training_loader(context, Samples(), BATCH)
    items = [type("Item", (), {"id": f"image {index}"}) for index in range(SAMPLES)]
    first, second = ids_of_batch(loader, items, 4, 1)
    assert problem.where == f"segment, epoch 2, batch 4 (images {first}, {second})"


def test_a_limit_of_batches_is_one_of_epochs(short_stretches, tmp_path):
    context = Context(None, tmp_path, trainer={"limit_train_batches": 3}, workers=0)
    assert len(training_loader(context, Samples(), BATCH)) == 6
