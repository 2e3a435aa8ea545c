"""What a step of a training is, told and kept."""

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from wsss.stage_tools.context import Context
from wsss.stage_tools.training import fit
from wsss.tasks.schedule import parameter_groups, with_poly_schedule


class TwoRates(pl.LightningModule):
    """A trunk and a head that learns ten times faster."""

    def __init__(self):
        super().__init__()
        self.trunk, self.head = nn.Linear(1, 1), nn.Linear(1, 1)

    def training_step(self, batch, _):
        loss = self.head(self.trunk(batch)).square().mean()
        self.log("rates/train_loss", loss)
        return loss

    def configure_optimizers(self):
        groups = parameter_groups(self.trunk.parameters(), self.head.parameters(), 0.01, 10.0)
        return with_poly_schedule(torch.optim.SGD(groups), self.trainer)


@pytest.mark.parametrize(
    ("parts", "images", "told"), [(1, 4, "4 images at"), (3, 12, "12 images (3 parts × 4) at")]
)
def test_steps_are_told_and_kept_also_by_a_run_that_goes_on(tmp_path, caplog, parts, images, told):
    trainer = {"accelerator": "cpu", "devices": 1, "accumulate_grad_batches": parts}
    expected = {
        "images_per_step": images,
        "processes": 1,
        "parts": parts,
        "learning_rates": [0.01, 0.1],
    }
    for max_epochs in (1, 2):
        caplog.clear()
        context = Context(source=None, folder=tmp_path, trainer=trainer)
        loader = DataLoader(torch.ones(24, 1), batch_size=4)
        with caplog.at_level("INFO", "wsss"):
            fit(context, TwoRates(), loader, None, max_epochs)
        steps = max_epochs * 24 // images
        assert context.measured.schedule == {**expected, "steps": steps}
        assert f"steps of {told} learning rate 0.01 and 0.1" in caplog.text
