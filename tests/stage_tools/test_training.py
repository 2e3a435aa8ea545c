import re
import shutil
import signal
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics import SumMetric

from wsss.errors import InvalidOptionError, WsssError
from wsss.machine.ending import ending_when_asked
from wsss.stage_tools import training
from wsss.stage_tools.checkpoints import completed_epochs, last_checkpoint
from wsss.stage_tools.context import Context
from wsss.stage_tools.feature_batches import FeatureBatches
from wsss.stage_tools.schedule_check import check_schedule
from wsss.stage_tools.training import fit

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
    def run(max_epochs=3, every=1, lr=0.1, batch_size=2, **trainer):
        loader = DataLoader(torch.ones(4), batch_size=batch_size)
        context = Context(source=None, folder=tmp_path, trainer={**TRAINER, **trainer})
        module = Line(lr)
        return fit(context, module, loader, None, max_epochs, every), module

    return run


def checkpoints(folder):
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def test_a_run_killed_behind_its_last_checkpoint_knows_its_numbers(train, tmp_path):
    numbers, module = train()
    assert checkpoints(tmp_path) == ["epoch=0002.ckpt"]
    again, resumed = train()
    assert again == numbers
    assert resumed.weight.item() == module.weight.item() != 0


class Interrupt(pl.Callback):
    """Presses Ctrl-C in the second epoch."""

    def on_train_batch_start(self, trainer, *_):
        if trainer.current_epoch == 1:
            signal.raise_signal(signal.SIGINT)


def test_an_interruption_is_passed_on_and_the_next_run_says_where_it_goes_on(
    train, tmp_path, monkeypatch, caplog
):
    caplog.set_level("INFO")
    _, whole = train()
    shutil.rmtree(tmp_path / "checkpoints")
    assert "goes on" not in caplog.text
    with monkeypatch.context() as patched:
        patched.setattr(training, "SeedEpoch", lambda _: Interrupt())
        with pytest.raises(KeyboardInterrupt):
            train()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert checkpoints(tmp_path) == ["epoch=0000.ckpt"]
    _, resumed = train()
    assert "goes on from epoch 2 of 3" in caplog.text
    assert resumed.weight.item() == whole.weight.item()


def test_the_last_checkpoint_holds_the_last_weights(train, tmp_path):
    _, module = train(max_epochs=3, every=2)
    path = last_checkpoint(tmp_path / "checkpoints")
    assert completed_epochs(path) == 3
    state = torch.load(path, weights_only=True)["state_dict"]
    assert state["weight"].item() == module.weight.item()


def cut(path):
    path.write_bytes(path.read_bytes()[:200])


def flipped_weight(path):
    with zipfile.ZipFile(path) as archive:
        weight = max(archive.infolist(), key=lambda one: one.file_size * ("/data/" in one.filename))
        start = path.read_bytes().index(archive.read(weight), weight.header_offset)
    content = bytearray(path.read_bytes())
    content[start] ^= 1
    path.write_bytes(content)
    torch.load(path, weights_only=True)  # Torch does not see it.


@pytest.mark.parametrize("damage", [cut, flipped_weight])
def test_a_damaged_checkpoint_is_removed(train, tmp_path, caplog, damage):
    numbers, _ = train()
    path = last_checkpoint(tmp_path / "checkpoints")
    damage(path)
    assert last_checkpoint(tmp_path / "checkpoints") is None
    assert f"{path}: the file is damaged" in caplog.text
    assert not path.exists()
    assert train()[0] == numbers


def test_a_loss_that_is_no_number_ends_the_training_at_once(train, tmp_path):
    with pytest.raises(WsssError, match=r"epoch \d+, batch [12]: the training loss is") as caught:
        train(max_epochs=200, lr=1e6)
    epoch = int(re.search(r"epoch (\d+)", str(caught.value))[1])
    assert epoch < 20
    assert completed_epochs(last_checkpoint(tmp_path / "checkpoints")) == epoch - 1


def test_weights_that_are_no_numbers_never_become_a_checkpoint(train, tmp_path):
    with pytest.raises(WsssError, match="epoch 1, the last batch: after it, the weight weight is"):
        train(lr=float("inf"), batch_size=4)
    assert last_checkpoint(tmp_path / "checkpoints") is None


def test_a_trainer_that_leaves_no_batch_is_told(train):
    with pytest.raises(WsssError, match="no batch was trained on"):
        train(limit_train_batches=0)


def context_of(ranks, **trainer):
    fabric = SimpleNamespace(world_size=ranks)
    folder = Path("runs/classify/0123")
    return Context(source=None, folder=folder, fabric=fabric, trainer={**TRAINER, **trainer})


@pytest.mark.parametrize(("ranks", "sizes"), [(3, "30 or 33"), (5, "30 or 35"), (64, "64")])
def test_a_batch_that_cannot_be_shared_out_names_the_setting_and_ways_out(ranks, sizes):
    check_schedule(context_of(8), 1, 32, lr=0.1)
    with pytest.raises(WsssError) as caught:
        check_schedule(context_of(ranks), 1, 32, lr=0.1)
    (problem,) = caught.value.problems
    assert problem.where == "classify.batch_size"
    assert f"to {sizes}, or use 1, 2, 4, 8, 16, 32 processes" in problem.remedy


@pytest.mark.parametrize(
    "setting", [{"limit_train_batch": 1}, {"max_epochs": 3}, {"precision": "foo"}]
)
def test_a_setting_that_the_trainer_cannot_take_is_told(setting):
    with pytest.raises(WsssError, match=next(iter(setting)).replace("precision", "foo")):
        check_schedule(context_of(1, **setting), 1, 32, lr=0.1)


@pytest.mark.parametrize(
    ("rates", "name"),
    [
        ({"lr": -1e-3}, "lr"),
        ({"lr": 1e39}, "lr"),
        ({"lr": float("nan")}, "lr"),
        ({"lr": 0.1, "head_lr_factor": -1.0}, "head_lr_factor"),
        ({"lr": 1e20, "head_lr_factor": 1e20}, "head_lr_factor"),
    ],
)
def test_a_learning_rate_that_cannot_be_one_is_told_before_anything_is_computed(rates, name):
    with pytest.raises(InvalidOptionError) as caught:
        check_schedule(context_of(1), 1, 32, **rates)
    assert caught.value.option == name


def test_large_and_zero_learning_rates_are_left_to_the_user():
    check_schedule(context_of(1), 1, 32, lr=1e12, head_lr_factor=10.0)
    check_schedule(context_of(1), 1, 32, lr=0.0, head_lr_factor=0.0)


class TooLarge(Line):
    """A network whose memory suffices for so many samples, which it notes; `Line` in all else."""

    def __init__(self, most, lr=0.1):
        super().__init__(lr)
        self.most = most
        self.seen = []

    def training_step(self, batch, index):
        if len(batch) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        self.seen.append(len(batch))
        return super().training_step(batch, index)


def trained_in_memory_for(most, folder, batch_size=4, samples=11, **trainer):
    """Returns the network, and how often a batch was halved."""
    inputs = torch.linspace(0.5, 1.5, samples)
    loader = DataLoader(inputs, batch_size=batch_size, drop_last=True)
    context = Context(source=None, folder=folder / str(most), trainer={**TRAINER, **trainer})
    module = TooLarge(most)
    fit(context, module, loader, None, max_epochs=3)
    return module, context.measured.halvings


@pytest.mark.parametrize(("most", "halvings"), [(4, 0), (2, 1), (3, 1)])
def test_a_batch_too_large_for_memory_is_learned_from_in_halves(tmp_path, caplog, most, halvings):
    """The mean of a batch is the mean of its halves' means: the same steps, but for rounding."""
    whole, none = trained_in_memory_for(8, tmp_path)
    module, count = trained_in_memory_for(most, tmp_path)
    assert (none, count) == (0, halvings)
    torch.testing.assert_close(module.weight, whole.weight, rtol=1e-6, atol=0)
    assert sum(module.seen) == sum(whole.seen) == 3 * 8
    assert ("2 parts of a batch" in caplog.text) == bool(halvings)


@pytest.mark.parametrize("failing", ["trained", "validated"])
def test_numbers_of_an_epoch_that_is_begun_anew_count_its_samples_once(tmp_path, failing):
    class Counting(Line):
        def __init__(self):
            super().__init__()
            self.fails = True
            self.seen = nn.ModuleDict({"trained": SumMetric(), "validated": SumMetric()})

        def count(self, what, batch, index):
            self.seen[what].update(batch.sum())
            self.log(f"line/{what}", self.seen[what], on_step=False, on_epoch=True)
            if self.fails and (what, index) == (failing, 1):
                self.fails = False
                raise torch.OutOfMemoryError("CUDA out of memory.")

        def training_step(self, batch, index):
            self.count("trained", batch, index)
            return super().training_step(batch, index)

        def validation_step(self, batch, index):
            self.count("validated", batch, index)

    train = DataLoader(torch.ones(8), batch_size=4, drop_last=True)
    val = DataLoader(torch.ones(6), batch_size=2)
    context = Context(source=None, folder=tmp_path, trainer=TRAINER)
    numbers = fit(context, Counting(), train, val, max_epochs=1)
    assert context.measured.halvings == 1
    assert (numbers["trained"], numbers["validated"]) == (8, 6)


def test_gradients_that_are_added_up_anyway_are_added_up_in_halves(tmp_path):
    words = {"accumulate_grad_batches": 2, "limit_train_batches": 2}
    whole, _ = trained_in_memory_for(8, tmp_path, **words)
    module, _ = trained_in_memory_for(2, tmp_path, **words)
    torch.testing.assert_close(module.weight, whole.weight, rtol=1e-6, atol=0)


def test_a_batch_that_cannot_be_halved_further_is_told(tmp_path):
    with pytest.raises(WsssError, match=r"memory ran out on cpu \(CUDA out of memory") as caught:
        trained_in_memory_for(1, tmp_path)
    assert "batch_size or" in str(caught.value)


def test_features_in_memory_are_not_trained_on_in_parts(tmp_path):
    class Full(Line):
        def training_step(self, batch, index):
            raise torch.OutOfMemoryError("CUDA out of memory.")

    features = FeatureBatches(
        torch.ones(8, 1, 1), torch.ones(8, 1), lambda *_: 0, [(0, 0)] * 8, batch_size=8
    )
    context = Context(source=None, folder=tmp_path, trainer=TRAINER)
    with pytest.raises(WsssError, match="memory ran out on cpu"):
        fit(context, Full(), features, None, max_epochs=1)


def test_waits_of_a_training_are_measured(tmp_path):
    class Slow(torch.utils.data.Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            time.sleep(0.02)
            return torch.ones(())

    context = Context(source=None, folder=tmp_path, trainer=TRAINER)
    fit(context, Line(), DataLoader(Slow(), batch_size=2), None, max_epochs=2)
    assert context.measured.seconds["images"] >= 8 * 0.02
    assert context.measured.seconds["network"] > 0
    assert context.measured.slowest == "images"


def test_a_head_on_features_in_memory_is_trained_by_one_thread(tmp_path):
    """Its operations are so small that threads would wait for each other most of the time."""

    class Noting(Line):
        def training_step(self, batch, index):
            threads.add(torch.get_num_threads())
            return super().training_step(batch["images"].flatten(), index)

    threads, before = set(), torch.get_num_threads()
    features = FeatureBatches(
        torch.ones(4, 1, 1), torch.ones(4, 1), lambda *_: 0, [(0, 0), (0, 3)], batch_size=1
    )
    context = Context(source=None, folder=tmp_path, trainer=TRAINER)
    torch.set_num_threads(2)
    try:
        fit(context, Noting(), features, None, max_epochs=1)
        assert threads == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


class Terminate(pl.Callback):
    """Asks the process to end in the second epoch."""

    def on_train_batch_start(self, trainer, *_):
        if trainer.current_epoch == 1:
            signal.raise_signal(signal.SIGTERM)


def test_a_termination_is_told_and_is_no_success(train, tmp_path, monkeypatch, caplog):
    with monkeypatch.context() as patched:
        patched.setattr(training, "SeedEpoch", lambda _: Terminate())
        with pytest.raises(SystemExit) as left, ending_when_asked():
            train()
    assert left.value.code == 143
    assert "Terminated. Finished stages, images and epochs are kept" in caplog.text
    assert checkpoints(tmp_path) == ["epoch=0000.ckpt"]
    numbers, _ = train()
    assert numbers


class Lively(Line):
    """Also validates."""

    def validation_step(self, batch, _):
        self.log("line/val_error", (self.weight - 2).abs().sum())


def test_a_training_tells_its_epochs_with_their_numbers(tmp_path, monkeypatch):
    told, asked = [], []

    @contextmanager
    def reporting(*given, **options):
        asked.append((given, options))
        yield lambda done, now: told.append((round(done, 2), now))

    monkeypatch.setattr(training, "reporting", reporting)
    context = Context(source=None, folder=tmp_path / "line" / "0123", trainer=TRAINER)
    loader = DataLoader(torch.ones(4), batch_size=2)
    numbers = fit(context, Lively(), loader, loader, 2)
    assert asked == [((2, "line", True), {"unit": "epoch", "done": 0})]
    assert [done for done, _ in told] == [0.5, 1, 1, 1.5, 2, 2]
    assert told[0][1] == ""
    shown = {
        name: float(value) for name, value in (part.split() for part in told[-1][1].split(", "))
    }
    assert shown == pytest.approx(numbers, rel=5e-3)
    assert set(shown) == {"train_loss", "val_error"}
    fit(context, Lively(), loader, loader, 2)
    assert asked[1][1] == {"unit": "epoch", "done": 2}  # Nothing is left to do,
    assert len(told) == 6  # nor to be told.


@pytest.mark.parametrize("shown", [True, False])
def test_progress_can_be_turned_off(train, tmp_path, monkeypatch, shown):
    asked = []

    @contextmanager
    def reporting(_total, _description, visible, **_):
        asked.append(visible)
        yield lambda *_: None

    monkeypatch.setattr(training, "reporting", reporting)
    train(enable_progress_bar=shown)
    assert asked == [shown]
