import numpy as np
import pytest
import torch

from wsss.losses import balanced_class_weights, void_aware_cross_entropy


def test_rare_classes_weigh_more_by_the_root_of_their_frequency():
    tags = torch.zeros(100, 3, dtype=torch.bool)
    tags[:64, 0], tags[:4, 1] = True, True
    weights = balanced_class_weights(tags)
    assert weights.mean().item() == pytest.approx(1)
    # 64, 4 and (none, so like one) 1 images.
    np.testing.assert_allclose(weights / weights[0], [1, 4, 8], rtol=1e-6)


def test_void_pixels_neither_count_nor_learn():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 3, 3, generator=generator, requires_grad=True)
    labels = torch.randint(0, 4, (2, 3, 3), generator=generator)
    labels[0, 1:] = 255
    loss = void_aware_cross_entropy(logits, labels)
    loss.backward()
    log_p = torch.log(torch.softmax(logits.detach().double(), dim=1))
    known = labels != 255
    picked = log_p.gather(1, labels.where(known, 0)[:, None])[:, 0]
    assert loss.item() == pytest.approx(-picked[known].mean().item(), rel=1e-5)
    assert (logits.grad.abs().sum(dim=1)[~known] == 0).all()
    assert (logits.grad.abs().sum(dim=1)[known] > 0).all()


def test_nothing_but_void_costs_nothing():
    logits = torch.randn(1, 4, 2, 2, requires_grad=True)
    loss = void_aware_cross_entropy(logits, torch.full((1, 2, 2), 255))
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()
