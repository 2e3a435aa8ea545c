"""Gradients of class logits by feature maps, never entering the network before them."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn


def differentiable_head(
    head: nn.Module, features: Float[Tensor, "b k h w"]
) -> tuple[Float[Tensor, "b k h w"], Float[Tensor, "b c"]]:
    """The features as a leaf of an autograd graph, and the logits that follow from them.

    For methods with `needs_gradients`, whose parameters are constants of the graph.
    """
    leaf = features.detach().requires_grad_()
    # A clone behind the leaf, because an in-place ReLU may not write to a leaf.
    return leaf, head(leaf.clone())


def mean_gradients(
    head: nn.Module, features: Float[Tensor, "b k h w"], classes: Int64[Tensor, "b n"]
) -> Float[Tensor, "b n k"]:
    """Mean gradient of each class's logit by each channel, `α_k = mean_ij ∂f_c/∂A_k`."""
    leaf, logits = differentiable_head(head, features)
    gradients = class_gradients(logits, [leaf], classes)
    return torch.stack([gradient.mean(dim=(2, 3)) for (gradient,) in gradients], dim=1)


def class_gradients(
    logits: Float[Tensor, "b c"],
    activations: Sequence[Float[Tensor, "b _ _ _"]],
    classes: Int64[Tensor, "b n"],
) -> Iterator[tuple[Float[Tensor, "b _ _ _"], ...]]:
    """Yield `∂f_c/∂A` for every activation map `A`, one column of `classes` after the other.

    All images of a batch share a backward pass: their graphs do not meet in evaluation mode.
    """
    columns = classes.unbind(dim=1)
    for index, column in enumerate(columns):
        one_hot = torch.zeros_like(logits).scatter_(1, column[:, None], 1)
        # Its gradient by the logits is `one_hot`, to the bit. Were `one_hot` given to autograd, the
        # first thing on its way back could be a matrix product. On a GPU autograd has a thread of
        # its own, which the first kernel launched there binds to the CUDA context; cuBLAS looks for
        # one before it launches any, and torch would warn. A multiplication is such a kernel.
        chosen = (logits * one_hot).sum()
        keep = index + 1 < len(columns)
        yield torch.autograd.grad(chosen, list(activations), retain_graph=keep)
