import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from wsss.stage_tools.context import Context
from wsss.stage_tools.training import fit

LR, DECAY = 0.1, 0.8


class Line(pl.LightningModule):
    """A weight that learns to be 2, and counts its steps in buffers as BatchNorm does."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.register_buffer("steps", torch.tensor(0))

    def training_step(self, batch, _):
        self.steps += 1
        loss = ((self.weight * batch - 2 * batch) ** 2).mean()
        self.log("line/train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), LR)


def trained(folder, epochs):
    context = Context(source=None, folder=folder, trainer={"accelerator": "cpu", "devices": 1})
    module = Line()
    loader = DataLoader(torch.ones(4), batch_size=2)
    fit(context, module, loader, None, epochs, ema_decay=DECAY)
    return module


def average_after(steps):
    """In closed form: w_t = 2 (1 − (1 − 2 lr)^t); the average begins with the first."""
    weights = [2 * (1 - (1 - 2 * LR) ** step) for step in range(1, steps + 1)]
    average = weights[0]
    for weight in weights[1:]:
        average = DECAY * average + (1 - DECAY) * weight
    return average


def test_the_average_of_the_weights_is_left(tmp_path):
    assert trained(tmp_path, 3).weight.item() == pytest.approx(average_after(6), rel=1e-6)


@pytest.mark.parametrize("seen", [1, 2])
def test_a_training_that_goes_on_ends_with_the_same_average(tmp_path, seen):
    whole = trained(tmp_path / "whole", 3).weight
    trained(tmp_path / "killed", seen)
    assert trained(tmp_path / "killed", 3).weight.equal(whole)


def test_a_training_killed_behind_its_last_checkpoint_leaves_the_average(tmp_path):
    first, again = (trained(tmp_path, 3).weight for _ in range(2))
    assert again.equal(first)
