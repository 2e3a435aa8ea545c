import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from wsss.explain.sanity.permuted_tags import (
    PERMUTED,
    TRUE,
    WEIGHT_DECAY,
    TaggedFeatures,
    fitted_head,
    refitted,
)
from wsss.models import SplitClassifier, TimmBackbone


@pytest.fixture
def tagged():
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(200, 6, generator=generator)
    noise = 0.3 * torch.randn(200, 3, generator=generator)
    return TaggedFeatures(features, features[:, :3] - features[:, 3:] + noise > 0)


@pytest.mark.parametrize("bias", [False, True])
def test_the_head_is_the_logistic_regression_of_each_class(tagged, bias):
    head, loss = fitted_head(tagged, bias=bias)
    losses = []
    for label in range(3):
        strength = 1 / (WEIGHT_DECAY * len(tagged.tags))
        other = LogisticRegression(C=strength, fit_intercept=bias, tol=1e-10, max_iter=10_000)
        targets = tagged.tags[:, label].numpy()
        other.fit(tagged.features.double().numpy(), targets)
        np.testing.assert_allclose(head.weight[label].numpy(), other.coef_[0], rtol=1e-3, atol=1e-3)
        if bias:
            np.testing.assert_allclose(head.bias[label].numpy(), other.intercept_[0], atol=1e-3)
        right = other.predict_proba(tagged.features.double().numpy())[
            range(200), targets.astype(int)
        ]
        losses.append(-np.log(right).mean())
    assert loss == pytest.approx(np.mean(losses), rel=1e-4)


def test_tags_of_an_image_move_together_and_none_is_lost(tagged):
    other = tagged.permuted(3)
    assert torch.equal(other.features, tagged.features)
    assert not torch.equal(other.tags, tagged.tags)
    codes = torch.tensor([1, 2, 4])
    for first, second in ((tagged.tags, other.tags), (tagged.tags, tagged.permuted(4).tags)):
        found = [(one * codes).sum(1).sort()[0] for one in (first, second)]
        assert torch.equal(*found)
    assert torch.equal(other.tags, tagged.permuted(3).tags)
    assert not torch.equal(other.tags, tagged.permuted(4).tags)


def test_true_tags_are_learned_and_permuted_ones_are_not(tagged):
    backbone = TimmBackbone("tf_efficientnet_lite0", "package")
    model = SplitClassifier.linear(backbone, 3)
    weight = model.head.weight.clone()
    found = refitted(model, tagged, 0)
    p = tagged.tags.float().mean(0)
    chance = float((torch.special.entr(p) + torch.special.entr(1 - p)).mean())
    assert found[TRUE][1] < 0.7 * chance
    assert 0.9 * chance < found[PERMUTED][1] < 1.1 * chance
    assert torch.equal(model.head.weight, weight)
    assert not torch.equal(found[TRUE][0].head.weight, found[PERMUTED][0].head.weight)
