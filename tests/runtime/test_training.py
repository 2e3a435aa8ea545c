import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from wsss.errors import WsssError
from wsss.runtime.context import Context
from wsss.runtime.training import completed_epochs, fit, last_checkpoint

TRAINER = {"accelerator": "cpu", "devices": 1}


class Line(pl.LightningModule):
    """One weight that learns to double its input, or to diverge."""

    def __init__(self, lr=0.1):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.lr = lr

    def training_step(self, batch, _):
        loss = ((self.weight * batch - 2 * batch) ** 2).mean()
        self.log("line/train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), self.lr)


@pytest.fixture
def train(tmp_path):
    loader = DataLoader(torch.ones(4), batch_size=2)

    def run(max_epochs=3, every=1, lr=0.1):
        context = Context(source=None, folder=tmp_path, trainer=TRAINER)
        module = Line(lr)
        return fit(context, module, loader, None, max_epochs, every), module

    return run


@pytest.fixture(autouse=True)
def _lightning_may_advise():
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
        yield


def checkpoints(folder):
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def test_a_run_killed_behind_its_last_checkpoint_knows_its_numbers(train, tmp_path):
    numbers, module = train()
    assert checkpoints(tmp_path) == ["epoch=0002.ckpt"]
    again, resumed = train()
    assert again == numbers
    assert resumed.weight.item() == module.weight.item() != 0


def test_the_last_checkpoint_holds_the_last_weights(train, tmp_path):
    _, module = train(max_epochs=3, every=2)
    path = last_checkpoint(tmp_path / "checkpoints")
    assert completed_epochs(path) == 3
    state = torch.load(path, weights_only=True)["state_dict"]
    assert state["weight"].item() == module.weight.item()


def test_a_damaged_checkpoint_is_left_aside(train, tmp_path):
    numbers, _ = train()
    path = last_checkpoint(tmp_path / "checkpoints")
    path.write_bytes(path.read_bytes()[:200])
    assert last_checkpoint(tmp_path / "checkpoints") is None
    assert train()[0] == numbers


def test_a_loss_that_is_no_number_is_told(train):
    with pytest.raises(WsssError, match="training loss is"):
        train(max_epochs=200, lr=1e6)
