import pytest
import torch

from wsss.errors import InvalidOptionError
from wsss.losses import (
    CrossEntropy,
    GeneralisedCrossEntropy,
    SymmetricCrossEntropy,
    mean_over_labelled,
)

IN_WORDS = {
    CrossEntropy(): lambda p: -p.log(),
    GeneralisedCrossEntropy(0.7): lambda p: (1 - p**0.7) / 0.7,
    GeneralisedCrossEntropy(1.0): lambda p: 1 - p,
    SymmetricCrossEntropy(0.5, 0.5): lambda p: -0.5 * p.log() + 2 * (1 - p),
    SymmetricCrossEntropy(2.0, 0.0): lambda p: -2 * p.log(),
}
"""Losses and their formulas, of the label's probability."""


@pytest.fixture
def drawn():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, 4, 3, 3, generator=generator)
    labels = torch.randint(0, 4, (2, 3, 3), generator=generator)
    labels[0, 1:] = 255
    return logits, labels


@pytest.mark.parametrize("loss", IN_WORDS, ids=lambda one: type(one).__name__)
def test_losses_and_their_slopes_are_those_of_the_formulas_in_float64(loss, drawn):
    logits, labels = drawn
    logits.requires_grad_()
    exact = logits.detach().double().requires_grad_()
    known = labels != 255
    p = exact.softmax(1).gather(1, labels.where(known, 0)[:, None])[:, 0]
    expected = IN_WORDS[loss](p).where(known, 0)
    found = loss(logits, labels)
    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=1e-6)
    assert (found[~known] == 0).all()
    found.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(logits.grad, exact.grad.float(), rtol=1e-5, atol=1e-6)
    assert (logits.grad.abs().sum(dim=1)[~known] == 0).all()


@pytest.mark.parametrize("loss", IN_WORDS, ids=lambda one: type(one).__name__)
def test_a_pixel_that_is_all_wrong_has_a_finite_slope(loss):
    logits = torch.tensor([200.0, -200.0])[None, :, None, None].requires_grad_()
    loss(logits, torch.ones(1, 1, 1, dtype=torch.long)).sum().backward()
    assert logits.grad.isfinite().all()


def test_small_q_is_the_cross_entropy(drawn):
    torch.testing.assert_close(
        GeneralisedCrossEntropy(1e-6)(*drawn), CrossEntropy()(*drawn), rtol=1e-4, atol=1e-4
    )


def test_the_mean_is_over_labelled_pixels(drawn):
    logits, labels = drawn
    losses = CrossEntropy()(logits, labels)
    known = labels != 255
    assert mean_over_labelled(losses, labels).item() == pytest.approx(losses[known].mean().item())
    half = mean_over_labelled(losses, labels, 2.0 * known.sum())
    assert half.item() == pytest.approx(losses[known].mean().item() / 2)


@pytest.mark.parametrize("loss", IN_WORDS, ids=lambda one: type(one).__name__)
def test_nothing_but_void_costs_nothing(loss):
    logits = torch.randn(1, 4, 2, 2, requires_grad=True)
    labels = torch.full((1, 2, 2), 255)
    mean = mean_over_labelled(loss(logits, labels), labels)
    mean.backward()
    assert mean.item() == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: GeneralisedCrossEntropy(0), "q"),
        (lambda: GeneralisedCrossEntropy(1.5), "q"),
        (lambda: SymmetricCrossEntropy(alpha=0), "alpha"),
        (lambda: SymmetricCrossEntropy(beta=-1), "beta"),
        (lambda: SymmetricCrossEntropy(log_zero=0), "log_zero"),
    ],
)
def test_settings_out_of_range_are_named(make, name):
    with pytest.raises(InvalidOptionError, match=name):
        make()
