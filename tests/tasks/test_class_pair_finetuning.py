"""The fine-tuning of pairs, against one network a pair that is trained alone."""

import copy

import pytest
import torch
from torch import nn

from wsss.models import PairNetworks
from wsss.tasks import PairTuningTask

TARGETS, OPPONENTS = torch.tensor([0, 1, 2]), torch.tensor([1, 2, 0])
TAGS = torch.tensor([[1.0, 0, 0, 1], [0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0]])


@pytest.fixture
def task():
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    stage = nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.ReLU())
    networks = PairNetworks(TARGETS, OPPONENTS, 4, 6, stage)
    nn.init.normal_(networks.weight)
    made = PairTuningTask(trunk, networks, torch.optim.SGD, 0.1, 10.0).double().train()
    made.log = lambda *_, **__: None
    return made


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (4, 3, 9, 8), dtype=torch.uint8, generator=generator)


def double(task):
    """The task on uint8 images in double precision."""
    task.trunk = nn.Sequential(Double(), *task.trunk)
    return task.train()


class Double(nn.Module):
    def forward(self, images):
        return images.double()


def naive_loss(task, images, tags):
    """Pair after pair, image after image."""
    trunk, networks = copy.deepcopy(task.trunk).eval(), task.heads
    total = 0
    for pair, (one, other) in enumerate(zip(TARGETS.tolist(), OPPONENTS.tolist(), strict=True)):
        losses = []
        for image, own in zip(images, tags, strict=True):
            if own[one] + own[other] != 1:
                continue
            stage = networks.stages[pair]
            features = stage(trunk(image[None].float() / 255))[0]
            logits = networks.weight[pair] @ features.mean(dim=(1, 2))
            losses.append(logits.logsumexp(0) - logits[0 if own[one] else 1])
        total = total + sum(losses) / max(1, len(losses))
    return total


def test_a_step_is_that_of_each_pair_alone(task, images):
    task = double(task)
    loss = task.training_step({"images": images, "tags": TAGS.double()}, 0)
    loss.backward()
    found = {name: weight.grad for name, weight in task.heads.named_parameters()}
    task.heads.zero_grad()
    expected = naive_loss(task, images, TAGS)
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=1e-12)
    expected.backward()
    for name, weight in task.heads.named_parameters():
        torch.testing.assert_close(found[name], weight.grad, rtol=1e-9, atol=1e-12)
    assert all(weight.grad is None for weight in task.trunk.parameters())


def test_every_weight_has_a_gradient_even_where_no_image_teaches(task, images):
    task = double(task)
    tags = torch.zeros_like(TAGS).double()
    tags[0, 0] = 1  # Teaches the first pair and the third, but not the second.
    task.training_step({"images": images, "tags": tags}, 0).backward()
    assert all(weight.grad is not None for weight in task.heads.parameters())
    assert not any(weight.grad.any() for weight in task.heads.stages[1].parameters())
    assert all(weight.grad.any() for weight in task.heads.stages[0].parameters())
    task.heads.zero_grad()
    loss = task.training_step({"images": images, "tags": torch.zeros_like(TAGS).double()}, 0)
    loss.backward()
    assert loss == 0


def test_statistics_stay_and_stages_learn_at_their_own_rate(task, images):
    task = double(task)
    before = {name: value.clone() for name, value in task.state_dict().items()}
    optimizer = task.make_optimizer()
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 1.0]
    task.training_step({"images": images, "tags": TAGS.double()}, 0).backward()
    optimizer.step()
    moved = {n for n, value in task.state_dict().items() if not torch.equal(value, before[n])}
    assert moved == {f"heads.{name}" for name, _ in task.heads.named_parameters()}


def test_the_accuracy_counts_images_with_one_of_a_pair(task, images):
    task = double(task).eval()
    with torch.no_grad():
        task.validation_step({"images": images, "tags": TAGS.double()}, 0)
        inner = task.trunk(images.float() / 255)
        right = [
            (float(logits[0] > logits[1]) == tags[one])
            for pair, (one, other) in enumerate(zip(TARGETS, OPPONENTS, strict=True))
            for tags, logits in zip(TAGS, task.heads.decide(inner, pair), strict=True)
            if tags[one] + tags[other] == 1
        ]
    assert task.val_accuracy.compute() == pytest.approx(sum(right) / len(right))
