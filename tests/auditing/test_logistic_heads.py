"""Logistic heads, beside scikit-learn's, and probabilities of images they never saw."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from wsss.auditing.logistic_heads import fit_heads, out_of_fold, sigmoid


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(90, 12)) * rng.uniform(0.1, 4, 12) + 2).astype(np.float32)
    tags = features @ rng.normal(size=(12, 3)) + rng.normal(size=(90, 3))
    return features, tags > np.median(tags, axis=0)


@pytest.mark.parametrize("penalty", [0.5, 20.0])
def test_heads_are_those_of_another_library(drawn, penalty):
    features, tags = drawn
    logits = fit_heads(features, tags, penalty).logits(features)
    x = features.astype(np.float64)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    for c in range(3):
        other = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=10_000).fit(x, tags[:, c])
        np.testing.assert_allclose(logits[:, c], other.decision_function(x), atol=2e-3)


def test_a_class_that_no_image_has_is_improbable(drawn):
    features, tags = drawn
    tags = np.column_stack([tags, np.zeros(90, bool), np.ones(90, bool)])
    probabilities = sigmoid(fit_heads(features, tags, 1.0).logits(features))
    np.testing.assert_allclose(probabilities[:, 3], 1 / 92, rtol=1e-4)
    np.testing.assert_allclose(probabilities[:, 4], 91 / 92, rtol=1e-4)


def test_an_image_is_judged_by_heads_that_have_not_seen_its_tags(drawn):
    features, tags = drawn
    folds = np.arange(90) % 5
    before = out_of_fold(features[:, None], tags, folds, [5.0])
    changed = tags.copy()
    changed[folds == 2] = ~changed[folds == 2]
    after = out_of_fold(features[:, None], changed, folds, [5.0])
    own = folds == 2
    np.testing.assert_array_equal(after.probabilities[own], before.probabilities[own])
    assert np.abs(after.probabilities[~own] - before.probabilities[~own]).max() > 0.05


def test_the_penalty_is_that_of_the_least_loss(drawn):
    features, tags = drawn
    folds, penalties = np.arange(90) % 3, [0.01, 5.0, 1e5]
    single = [out_of_fold(features[:, None], tags, folds, [one]).loss for one in penalties]
    best = out_of_fold(features[:, None], tags, folds, penalties)
    assert best.penalty == penalties[int(np.argmin(single))]
    assert best.loss == min(single)


def test_the_sigmoid_does_not_overflow():
    found = sigmoid(np.array([-1e4, 0, 1e4]))
    np.testing.assert_allclose(found, [0, 0.5, 1])
