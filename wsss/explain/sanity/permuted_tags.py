"""Heads trained on wrong tags: what does a map show of a network that knows nothing true?

Adebayo et al. 2018 train the whole network anew on permuted labels. A frozen backbone learns
nothing, so here the head alone does, on the features that the run has pooled.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from wsss.models.classifier import LinearHead, SplitClassifier

WEIGHT_DECAY = 1e-3
"""λ of `λ ‖w‖² / 2`, beside the mean loss of a class."""
MAX_ITERATIONS = 200
TRUE, PERMUTED = "true tags", "permuted tags"


@dataclass(frozen=True, slots=True)
class TaggedFeatures:
    """Features of training images, pooled over the whole image, and their tags."""

    features: Float[Tensor, "n k"]
    tags: Bool[Tensor, "n c"]

    def permuted(self, seed: int) -> "TaggedFeatures":
        """The same with each image's tags exchanged for those of another image, drawn by a seed.

        All tags of an image move together: how often classes occur, and which of them together,
        stays.
        """
        places = np.random.default_rng([seed]).permutation(len(self.tags))
        return TaggedFeatures(self.features, self.tags[torch.from_numpy(places)])


def refitted(
    model: SplitClassifier, tagged: TaggedFeatures, seed: int
) -> dict[str, tuple[SplitClassifier, float]]:
    """Copies of a classifier with heads fitted to true and to permuted tags, and their losses.

    Both are fitted in the same way, since it is not the way that the classifier's head was: what
    the first changes is due to that.

    Args:
        model: with a `LinearHead`.
        tagged: of its training images.
        seed: of the permutation.
    """
    assert isinstance(model.head, LinearHead)
    found = {}
    for name, own in ((TRUE, tagged), (PERMUTED, tagged.permuted(seed))):
        head, loss = fitted_head(own, bias=model.head.bias is not None)
        other = copy.deepcopy(model)
        other.head = head.to(next(model.parameters()).device)
        found[name] = (other, loss)
    return found


def fitted_head(tagged: TaggedFeatures, *, bias: bool) -> tuple[LinearHead, float]:
    """The head of least binary cross-entropy with weight decay, and its mean cross-entropy.

    The minimum of a convex function, found by L-BFGS from zero, for each class on its own.

    Args:
        tagged: the training images.
        bias: whether the head has one; it does not decay.
    """
    features, targets = tagged.features.double(), tagged.tags.double()
    head = LinearHead(features.shape[1], targets.shape[1], bias).double()
    nn.init.zeros_(head.weight)
    if head.bias is not None:
        nn.init.zeros_(head.bias)
    search = torch.optim.LBFGS(
        head.parameters(), max_iter=MAX_ITERATIONS, tolerance_grad=1e-8, tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def loss() -> Tensor:
        logits = head.linear(features)
        fit = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(0).sum()
        return fit + WEIGHT_DECAY / 2 * head.weight.square().sum()

    def closure() -> Tensor:
        search.zero_grad()
        value = loss()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with torch.enable_grad():
        search.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        final = F.binary_cross_entropy_with_logits(head.linear(features), targets)
    return head.float().requires_grad_(False).eval(), float(final)
