"""Logistic heads on pooled features, and the probabilities they give images they never saw."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

PENALTIES = (30.0, 100.0, 300.0, 1000.0)
"""Strengths of the penalty among which the out-of-fold loss chooses, without any mask."""
MOST_ITERATIONS = 300
ROUNDS = 2
"""Of training on best cells."""


@dataclass(frozen=True, slots=True)
class Heads:
    """A logistic head for each class: `sigmoid(weight · features + bias)`."""

    weight: Float[np.ndarray, "c k"]
    """Float32."""
    bias: Float[np.ndarray, " c"]
    """Float32."""

    def logits(self, features: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n c"]:
        """Logits of pooled features."""
        found: Float[np.ndarray, "n c"] = features @ self.weight.T + self.bias
        return found


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Probabilities of each image by the heads of its fold, which have not seen the image."""

    probabilities: Float[np.ndarray, "n c"]
    """Float32 in [0, 1]."""
    heads: Sequence[Heads]
    """Those of each fold, trained on all others."""
    penalty: float
    """The chosen strength."""
    loss: float
    """Mean logistic loss of the probabilities, in nats."""


def fit_heads(
    features: Float[np.ndarray, "n k"], tags: Bool[np.ndarray, "n c"], penalty: float
) -> Heads:
    """The heads of the least penalised logistic loss.

    `Σ_i log(1 + exp(-y_i (w·x_i + b))) + penalty / 2 · |w|²` for each class, with features that
    are standardised first and the bias free of penalty: a convex problem with one optimum. Of a
    class that all images or none have, the weights are 0 and the probability is the share of its
    images, with one image more of each kind (Laplace).

    Args:
        features: of n images.
        tags: their classes.
        penalty: its strength.
    """
    from scipy.optimize import minimize

    mean = features.mean(axis=0, dtype=np.float64)
    scale = np.maximum(features.std(axis=0, dtype=np.float64), 1e-6)
    x = (features - mean) / scale
    share = (tags.sum(axis=0) + 1) / (len(tags) + 2)
    weight = np.zeros((tags.shape[1], x.shape[1]))
    bias = np.log(share / (1 - share))
    learned = np.flatnonzero(tags.any(axis=0) & ~tags.all(axis=0))
    target = tags[:, learned].astype(np.float64)
    shape = (len(learned), x.shape[1] + 1)

    def loss(flat: Float[np.ndarray, " p"]) -> tuple[float, Float[np.ndarray, " p"]]:
        heads = flat.reshape(shape)
        logits = x @ heads[:, 1:].T + heads[:, 0]
        losses = np.logaddexp(0, logits) - target * logits
        residual = 0.5 * (1 + np.tanh(0.5 * logits)) - target  # the sigmoid, without overflow
        gradient = np.empty(shape)
        gradient[:, 0] = residual.sum(axis=0)
        gradient[:, 1:] = residual.T @ x + penalty * heads[:, 1:]
        return losses.sum() + 0.5 * penalty * np.square(heads[:, 1:]).sum(), gradient.ravel()

    if len(learned):
        start = np.zeros(shape)
        start[:, 0] = bias[learned]
        options = {"maxiter": MOST_ITERATIONS, "maxfun": 2 * MOST_ITERATIONS, "gtol": 1e-4}
        found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options=options)
        weight[learned] = found.x.reshape(shape)[:, 1:]
        bias[learned] = found.x.reshape(shape)[:, 0]
    weight /= scale
    return Heads(weight.astype(np.float32), (bias - weight @ mean).astype(np.float32))


def out_of_fold(
    views: Float[np.ndarray, "n v k"],
    tags: Bool[np.ndarray, "n c"],
    folds: Int64[np.ndarray, " n"],
    penalties: Sequence[float] = PENALTIES,
    advance: Callable[[], None] = lambda: None,
) -> OutOfFold:
    """Probabilities of images by heads trained on the other folds, of the best penalty.

    Args:
        views: features of each image and of its varied views; heads learn from all of them, and
            the probabilities are those of the first.
        tags: the classes of each image.
        folds: the fold of each image, 0…k-1.
        penalties: strengths to choose from, by the mean loss of the probabilities.
        advance: called after each training, `len(penalties) × k` times.
    """
    best: OutOfFold | None = None
    for penalty in penalties:
        logits = np.zeros(tags.shape, dtype=np.float32)
        heads = []
        for fold in range(int(folds.max()) + 1):
            seen, own = folds != fold, folds == fold
            x = views[seen].reshape(-1, views.shape[2])
            y = np.repeat(tags[seen], views.shape[1], axis=0)
            heads.append(fit_heads(x, y, penalty * views.shape[1]))
            logits[own] = heads[-1].logits(views[own, 0])
            advance()
        loss = float(np.mean(np.logaddexp(0, logits.astype(np.float64)) - tags * logits))
        if best is None or loss < best.loss:
            best = OutOfFold(sigmoid(logits), heads, penalty, loss)
    assert best is not None
    return best


def best_cell_logits(
    best: Float[np.ndarray, "n c d"],
    tags: Bool[np.ndarray, "n c"],
    folds: Int64[np.ndarray, " n"],
    penalty: float,
    advance: Callable[[], None] = lambda: None,
) -> Float[np.ndarray, "n c"]:
    """Logits of images by heads that learn from the cells that speak for a class most.

    Heads on the mean of all cells choose the cells, and new ones are trained on them, on the other
    folds as well: the first step of multiple-instance learning (mi-SVM, Andrews et al., NIPS 2002).
    In an image without the class these cells are what is most like it, so that heads learn to tell
    the two apart, and an object counts as much if it is small. They are trained twice, the second
    time without the images that the first ones call confidently wrong, so that no wrong tag has
    taught them (`confidently_wrong`).

    Args:
        best: features of the best cells of each image and class; may lie on disk.
        tags: the classes of each image.
        folds: the fold of each image, 0…k-1.
        penalty: strength, as of `fit_heads`.
        advance: called after each training, `ROUNDS` times a class and fold.
    """
    logits = np.zeros(tags.shape, dtype=np.float32)
    for column in range(tags.shape[1]):
        x = np.asarray(best[:, column], dtype=np.float32)
        tagged = tags[:, column]
        trusted = np.ones(len(tags), dtype=bool)
        for _ in range(ROUNDS):
            found = np.zeros(len(tags), dtype=np.float32)
            for fold in range(int(folds.max()) + 1):
                own = folds == fold
                seen = trusted & ~own
                if tagged[seen].all() or not tagged[seen].any():  # Nothing to learn it from.
                    seen = ~own
                found[own] = fit_heads(x[seen], tagged[seen, None], penalty).logits(x[own])[:, 0]
                advance()
            trusted = ~confidently_wrong(sigmoid(found), tagged)
        logits[:, column] = found
    return logits


def confidently_wrong(
    probabilities: Float[np.ndarray, " n"], tagged: Bool[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Images that look like those with the tag, and have none, or the other way round.

    The thresholds are those of confident learning (Northcutt et al., JAIR 2021, eq. 2): a mean
    image with the tag, and one without it.
    """
    if tagged.all() or not tagged.any():
        return np.zeros(len(tagged), dtype=bool)
    with_tag, without = probabilities[tagged].mean(), probabilities[~tagged].mean()
    found: Bool[np.ndarray, " n"] = np.where(
        tagged, probabilities < without, probabilities >= with_tag
    )
    return found


def sigmoid(logits: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """`1 / (1 + exp(-x))`, without overflow."""
    return (0.5 * (1 + np.tanh(0.5 * logits))).astype(logits.dtype)
