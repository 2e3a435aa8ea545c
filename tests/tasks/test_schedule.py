import pytest
import torch
from torch import nn

from wsss.tasks.schedule import parameter_groups, poly_schedule


def test_poly_schedule_in_closed_form():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.2)
    schedule = poly_schedule(optimizer, total_steps=10)
    for step in range(11):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.2 * (1 - step / 10) ** 0.9)
        optimizer.step()
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0


def test_frozen_parameters_are_left_out_and_heads_learn_faster():
    trunk, head = nn.Linear(2, 2), nn.Linear(2, 1)
    trunk.bias.requires_grad_(False)
    groups = parameter_groups(trunk.parameters(), head.parameters(), lr=0.1, head_lr_factor=10)
    assert [group["lr"] for group in groups] == [0.1, pytest.approx(1.0)]
    assert [len(group["params"]) for group in groups] == [1, 2]
    trunk.weight.requires_grad_(False)
    (only,) = parameter_groups(trunk.parameters(), head.parameters(), lr=0.1, head_lr_factor=10)
    assert only["params"] == list(head.parameters())
