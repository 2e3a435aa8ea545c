"""Logistic heads, beside scikit-learn's, and probabilities of images they never saw."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from wsss.auditing.logistic_heads import best_cell_logits, fit_heads, out_of_fold, sigmoid
from wsss.auditing.seen_images import best_features, cell_logits


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


def test_best_cells_are_judged_by_heads_on_best_cells_of_other_folds(drawn):
    """The features of each class are its own: heads of each class are fitted one by one."""
    features, tags = drawn
    rng = np.random.default_rng(1)
    best = np.stack([features, features[:, rng.permutation(12)], features**2], axis=1)
    folds = np.arange(90) % 3
    tags[:9] = ~tags[:9]
    found, num_wrong = best_cell_logits(best, tags, folds, 4.0), 0
    for c in range(3):
        tagged, x = tags[:, c], best[:, c].astype(np.float64)
        first = by_another_library(x, tagged, folds, np.ones(90, dtype=bool))
        p = 1 / (1 + np.exp(-first))
        wrong = tagged & (p < p[~tagged].mean()) | ~tagged & (p >= p[tagged].mean())
        num_wrong += wrong.sum()
        expected = by_another_library(x, tagged, folds, ~wrong)
        np.testing.assert_allclose(found[:, c], expected, atol=1e-2)
    assert num_wrong > 3


def test_a_fold_that_distrust_would_leave_one_kind_alone_trusts_all_images():
    """Three images have the tag, of which one is trusted: its own fold would learn from none."""
    rng = np.random.default_rng(4)
    folds = np.arange(30) % 3
    tagged = np.arange(30) < 3
    x = rng.normal(size=(30, 4))
    every = np.ones(30, dtype=bool)
    first = by_another_library(x, tagged, folds, every)
    p = 1 / (1 + np.exp(-first))
    trusted = ~(tagged & (p < p[~tagged].mean()) | ~tagged & (p >= p[tagged].mean()))
    assert (tagged & trusted).sum() == 1
    (alone,) = folds[tagged & trusted]
    others = folds != alone
    assert (~tagged & trusted & others).any()
    found = best_cell_logits(x[:, None].astype(np.float32), tagged[:, None], folds, 4.0)[:, 0]
    np.testing.assert_allclose(found[~others], first[~others], atol=1e-2)
    expected = first.copy()
    for fold in {0, 1, 2} - {alone}:
        own = folds == fold
        expected[own] = head_of_another_library(x, tagged, trusted & ~own)[own]
    np.testing.assert_allclose(found[others], expected[others], atol=1e-2)
    assert np.abs(expected - first)[others].max() > 0.1


def by_another_library(x, tagged, folds, trusted):
    """Logits out of fold of heads on trusted images."""
    logits = np.zeros(len(x))
    for fold in range(folds.max() + 1):
        own = folds == fold
        logits[own] = head_of_another_library(x, tagged, trusted & ~own)[own]
    return logits


def head_of_another_library(x, tagged, seen):
    """Logits of all images by a head that has learned from those that it has seen."""
    z = (x - x[seen].mean(axis=0)) / x[seen].std(axis=0)
    other = LogisticRegression(C=1 / 4, tol=1e-10, max_iter=10_000).fit(z[seen], tagged[seen])
    return other.decision_function(z)


def test_an_object_counts_as_much_if_it_is_small():
    """One cell in 100 shows the class: the mean hardly knows of it, the best cells do."""
    rng = np.random.default_rng(2)
    cells = rng.uniform(size=(120, 6, 10, 10)).astype(np.float32)
    cells[:, 0] *= rng.uniform(0, 0.3, (120, 1, 1))
    tags = np.arange(120)[:, None] % 2 == 0
    cells[::2, 0, 3, 4] = 3
    folds = rng.permutation(120) % 4
    by_mean = out_of_fold(cells.mean(axis=(2, 3))[:, None], tags, folds, [1.0])
    best = np.stack([
        best_features(one, cell_logits(one, by_mean.heads[fold]))
        for one, fold in zip(cells, folds, strict=True)
    ])  # fmt: skip
    logits = best_cell_logits(best, tags, folds, 1.0)
    found, before = roc_auc_score(tags, logits), roc_auc_score(tags, by_mean.probabilities)
    assert found > before + 0.1
