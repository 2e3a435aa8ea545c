"""The training of affinities: what learns, from what, and how."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from wsss.losses import affinity_loss, displacement_loss
from wsss.losses.affinity import count_pairs
from wsss.models import AffinityHeads, Backbone
from wsss.refine.affinity.boundaries import boundary_affinity
from wsss.tasks import AffinityTask
from wsss.tasks.affinity import displacement_differences, pairs_of, quarter

VOID = 255


class Tiny(Backbone):
    def __init__(self):
        super().__init__("tiny", 4)
        self.first = nn.Conv2d(3, 6, 4, stride=4)
        self.num_features = 6

    def forward(self, images):
        return self.first(images)

    @property
    def inner_layers(self):
        return {"first": self.first}


def task_of(width=None, lr=0.05, radius=4):
    torch.manual_seed(0)
    heads = AffinityHeads(("first",), (6,), width)
    return AffinityTask(Tiny(), heads, torch.optim.AdamW, lr, radius=radius)


@pytest.fixture
def batch():
    torch.manual_seed(1)
    images = torch.randint(0, 40, (2, 3, 32, 32), dtype=torch.uint8)
    images[:, 0, :, 16:] += 200
    masks = torch.zeros(2, 32, 32, dtype=torch.uint8)
    masks[:, :, 16:] = 3
    masks[:, :4] = VOID
    return {"images": images, "masks": masks}


def step(task, batch, monkeypatch):
    logged = {}
    monkeypatch.setattr(task, "log_dict", lambda numbers, **_: logged.update(numbers))
    alone = SimpleNamespace(strategy=SimpleNamespace(reduce=lambda value, reduce_op: value))
    monkeypatch.setattr(AffinityTask, "trainer", alone)
    return task.training_step(batch, 0), {name: one.detach() for name, one in logged.items()}


def test_labels_are_taken_from_the_middle_of_each_cell():
    labels = torch.arange(64, dtype=torch.uint8).view(1, 8, 8)
    assert quarter(labels).tolist() == [[[18, 22], [50, 54]]]


@pytest.mark.parametrize("width", [None, 8])
def test_the_loss_is_that_of_both_heads(batch, width, monkeypatch):
    task = task_of(width)
    loss, logged = step(task, batch, monkeypatch)
    maps = [task.trunk(batch["images"].float() / 255)]
    pairs = pairs_of(batch["masks"][:, 2::4, 2::4], 4)
    boundary = task.heads.boundary(maps, (8, 8)).sigmoid()
    counts = count_pairs(pairs)
    expected = affinity_loss(boundary_affinity(boundary, 4), pairs, counts)
    if width:
        displacement = task.heads.displacement(maps, (8, 8))
        differences = displacement_differences(displacement, 4)
        expected += displacement_loss(*differences, pairs, counts) / 2
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(logged["affinity/train_loss"], loss.detach())
    assert ("affinity/displacement_loss" in logged) == bool(width)


def test_every_head_learns_and_the_backbone_does_not(batch, monkeypatch):
    task = task_of(8)
    loss, _ = step(task, batch, monkeypatch)
    loss.backward()
    assert all(parameter.grad is None for parameter in task.trunk.parameters())
    for head in (task.heads.boundary, task.heads.displacement):
        assert any(one.grad is not None and one.grad.abs().max() > 0 for one in head.parameters())


def test_the_displacement_branch_changes_no_gradient_of_the_boundaries(batch, monkeypatch):
    gradients = []
    for width in (None, 8):
        task = task_of(width)
        torch.nn.init.constant_(task.trunk.first.weight, 0.1)  # Drawn after the heads.
        torch.nn.init.zeros_(task.trunk.first.bias)
        step(task, batch, monkeypatch)[0].backward()
        gradients.append([one.grad for one in task.heads.boundary.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert torch.equal(one, other)


def test_the_boundary_is_found(batch, monkeypatch):
    task = task_of()
    optimizer = torch.optim.Adam(task.heads.parameters(), lr=0.05)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss, _ = step(task, batch, monkeypatch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_branches_have_learning_rates_of_their_own(monkeypatch):
    for width, rates in ((None, [0.05]), (8, [0.05, 0.5])):
        task = task_of(width)
        monkeypatch.setattr(
            AffinityTask,
            "trainer",
            property(lambda _: type("", (), {"estimated_stepping_batches": 3})),
        )
        optimizer = task.configure_optimizers()["optimizer"]
        assert [group["initial_lr"] for group in optimizer.param_groups] == pytest.approx(rates)
