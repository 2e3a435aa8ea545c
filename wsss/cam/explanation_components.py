r"""How the operations of a network share out explanation components among their inputs.

FG-CAM (Qiu et al. 2023) carries components `I` of a map from a layer to the one before it, in
proportion to what each input element contributed. Every function here takes the components of an
operation's output and returns those of its input. The sum stays the same except where an output
has no contribution to be shared out, `Y = 0`.

Shape suffixes: n = classes, which share one pass, b = batch; the dimensions after them are those
of the operation's input and output.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor

Convolve = Callable[[Tensor, Tensor], Tensor]
"""A convolution of an input with a weight, without bias."""
Operation = Callable[[Tensor], Tensor]
"""An operation that is linear in its input, or linear in parts, such as pooling."""


def ratio(
    components: Float[Tensor, "n b ..."], contributions: Float[Tensor, "b ..."]
) -> Float[Tensor, "n b ..."]:
    """Components per contribution, `R = I / Y`, 0 where `Y = 0`."""
    return torch.where(contributions == 0, 0, components / contributions)


def pulled_back(
    operation: Operation, inputs: Float[Tensor, "b ..."]
) -> tuple[Float[Tensor, "b ..."], Operation]:
    """Output of an operation and the function that takes [n, b, …] back to its inputs.

    The function is the transposed derivative at `inputs`; it is applied to all classes at once.
    """
    outputs, pull = cast("tuple[Tensor, Any]", torch.func.vjp(operation, inputs))
    return outputs, torch.func.vmap(lambda components: pull(components)[0])


def before_copying(
    components: Float[Tensor, "n b ..."], inputs: Float[Tensor, "b ..."], operation: Operation
) -> Float[Tensor, "n b ..."]:
    """Components before an operation that only moves, repeats or drops elements."""
    _, pull = pulled_back(operation, inputs)
    return pull(components)


def before_pooling(
    components: Float[Tensor, "n b k y1 y2"], inputs: Float[Tensor, "b k x1 x2"], pool: Operation
) -> Float[Tensor, "n b k x1 x2"]:
    """Components before maximum or average pooling, `X⁺ ⊙ poolᵀ(I / pool(X⁺))`."""
    positive = inputs.clamp(min=0)
    outputs, pull = pulled_back(pool, positive)
    return positive * pull(ratio(components, outputs))


def before_convolution(
    components: Float[Tensor, "n b o y1 y2"],
    inputs: Float[Tensor, "b k x1 x2"],
    weight: Float[Tensor, "o _ _ _"],
    convolve: Convolve,
) -> Float[Tensor, "n b k x1 x2"]:
    """Components before a convolution, `X⁺ ⊙ (W⁺)ᵀR + X⁻ ⊙ (W⁻)ᵀR`, `Y = X⁺*W⁺ + X⁻*W⁻`."""
    positive = inputs.clamp(min=0)
    outputs, pull = pulled_back(lambda x: convolve(x, weight.clamp(min=0)), positive)
    negative = inputs.clamp(max=0)
    # After a ReLU nothing is negative, which saves half of the work.
    if not negative.any():
        return positive * pull(ratio(components, outputs))
    others, pull_others = pulled_back(lambda x: convolve(x, weight.clamp(max=0)), negative)
    shares = ratio(components, outputs + others)
    return positive * pull(shares) + negative * pull_others(shares)


def before_first_convolution(
    components: Float[Tensor, "n b o y1 y2"],
    images: Float[Tensor, "b k x1 x2"],
    weight: Float[Tensor, "o _ _ _"],
    convolve: Convolve,
) -> Float[Tensor, "n b k x1 x2"]:
    """Components of an image, whose values lie between its minimum `B` and maximum `T`.

    `X ⊙ WᵀR - B ⊙ (W⁺)ᵀR - T ⊙ (W⁻)ᵀR` with `Y = X*W - B*W⁺ - T*W⁻`, which is never negative.
    """
    lowest = images.amin(dim=(1, 2, 3), keepdim=True).expand_as(images)
    highest = images.amax(dim=(1, 2, 3), keepdim=True).expand_as(images)
    parts = (
        (images, images, weight),
        (-lowest, lowest, weight.clamp(min=0)),
        (-highest, highest, weight.clamp(max=0)),
    )
    pulls = [
        (factor, *pulled_back(lambda x, w=some: convolve(x, w), values))  # type: ignore[misc]
        for factor, values, some in parts
    ]
    (_, outputs, _), (_, low_outputs, _), (_, high_outputs, _) = pulls
    shares = ratio(components, outputs - low_outputs - high_outputs)
    return torch.stack([factor * pull(shares) for factor, _, pull in pulls]).sum(dim=0)


def before_addition(
    components: Float[Tensor, "n b ..."], one: Float[Tensor, "b ..."], other: Float[Tensor, "b ..."]
) -> tuple[Float[Tensor, "n b ..."], Float[Tensor, "n b ..."]]:
    """Components of both terms of a sum, by their positive parts; half each where there are none.

    Our extension to residual networks: the published method knows no additions.
    """
    positive, others = one.clamp(min=0), other.clamp(min=0)
    total = positive + others
    share = torch.where(total == 0, 0.5, positive / total)
    first = components * share
    return first, components - first


def denoised(
    components: Float[Tensor, "*b k h w"], kept_fraction: float
) -> Float[Tensor, "*b k h w"]:
    """Components of low rank: the mean of every channel taken out, then a truncated SVD.

    Of the matrix [K, h·w], the `⌊kept_fraction · min(K, h·w)⌋` greatest singular values are kept,
    at least one. The means are not put back.
    """
    matrix = components.flatten(-2)
    matrix = matrix - matrix.mean(dim=-1, keepdim=True)
    rank = max(1, int(kept_fraction * min(matrix.shape[-2:])))
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    kept: Tensor = (left[..., :rank] * values[..., None, :rank]) @ right[..., :rank, :]
    return kept.reshape(components.shape)
