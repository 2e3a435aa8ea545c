r"""How the operations of a network share out explanation components among their inputs.

FG-CAM (Qiu et al. 2023) carries components `I` of a map from a layer to the one before it, in
proportion to the contribution of each input element. Every function here takes an operation's
inputs in the forward pass and returns its rule, a function from the components of its output to
those of its input. Computations common to all classes are done once, and each class's components
pass alone, so that large intermediate maps are those of one class. The sum stays the same except
where an output has no contribution to be shared out, `Y = 0`.

Shape suffixes: b = batch; the dimensions after it are those of the operation's input and output.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor

from wsss.models.layer_outputs import check_gradients_are_recorded

Convolve = Callable[[Tensor, Tensor], Tensor]
"""A convolution of an input with a weight, without bias."""
Operation = Callable[[Tensor], Tensor]
"""An operation that is linear in its input, or linear in parts, such as pooling."""
Rule = Callable[[Tensor], Tensor]
"""Components of an operation's output, of one class, to those of its input."""


def divisor(contributions: Float[Tensor, "b ..."]) -> Float[Tensor, "b ..."]:
    """The divisor of components in `R = I / Y`: infinite where `Y = 0`, so that `R = 0`."""
    return contributions.where(contributions != 0, torch.inf)


def pulled_back(
    operation: Operation, inputs: Float[Tensor, "b ..."]
) -> tuple[Float[Tensor, "b ..."], Operation]:
    """Output of an operation, and its transposed derivative at `inputs`.

    Raises:
        RuntimeError: in `torch.inference_mode`: torch 2.11 gives a derivative of zero there
            (https://github.com/pytorch/pytorch/issues/177318).
    """
    check_gradients_are_recorded()
    outputs, pull = cast("tuple[Tensor, Any]", torch.func.vjp(operation, inputs))
    return outputs, lambda components: pull(components)[0]


def before_copying(inputs: Float[Tensor, "b ..."], operation: Operation) -> Rule:
    """Rule of an operation that only moves, repeats or drops elements."""
    _, pull = pulled_back(operation, inputs)
    return pull


def before_pooling(inputs: Float[Tensor, "b k x1 x2"], pool: Operation) -> Rule:
    """Rule of maximum or average pooling, `X⁺ ⊙ poolᵀ(I / pool(X⁺))`."""
    positive = inputs.clamp(min=0)
    outputs, pull = pulled_back(pool, positive)
    total = divisor(outputs)
    return lambda components: positive * pull(components / total)


def before_convolution(
    inputs: Float[Tensor, "b k x1 x2"],
    weight: Float[Tensor, "o _ _ _"],
    convolve: Convolve,
    evenly: bool = False,
) -> Rule:
    """Rule of a convolution, `X⁺ ⊙ (W⁺)ᵀR + X⁻ ⊙ (W⁻)ᵀR`, `Y = X⁺*W⁺ + X⁻*W⁻`.

    Args:
        inputs: `X`.
        weight: `W`.
        convolve: of the inputs with a weight.
        evenly: whether `X⁺` and `X⁻` are first divided by how often they are seen
            (`evenly_seen`), which shares out the same sum.
    """
    # After a ReLU nothing is negative, which saves half of the work.
    if inputs.amin() >= 0:
        if evenly:
            inputs = evenly_seen(inputs, weight.clamp(min=0), convolve)
        outputs, pull = pulled_back(lambda x: convolve(x, weight.clamp(min=0)), inputs)
        total = divisor(outputs)
        return lambda components: inputs * pull(components / total)
    positive, negative = inputs.clamp(min=0), inputs.clamp(max=0)
    if evenly:
        positive = evenly_seen(positive, weight.clamp(min=0), convolve)
        negative = evenly_seen(negative, weight.clamp(max=0), convolve)
    outputs, pull = pulled_back(lambda x: convolve(x, weight.clamp(min=0)), positive)
    others, pull_others = pulled_back(lambda x: convolve(x, weight.clamp(max=0)), negative)
    total = divisor(outputs + others)

    def rule(components: Tensor) -> Tensor:
        shares = components / total
        return positive * pull(shares) + negative * pull_others(shares)

    return rule


def before_first_convolution(
    images: Float[Tensor, "b k x1 x2"],
    weight: Float[Tensor, "o _ _ _"],
    convolve: Convolve,
    evenly: bool = False,
) -> Rule:
    """Rule for an image, whose values lie between its minimum `B` and maximum `T`.

    `X ⊙ WᵀR - B ⊙ (W⁺)ᵀR - T ⊙ (W⁻)ᵀR` with `Y = X*W - B*W⁺ - T*W⁻`, which is never negative.
    With `evenly`, `X`, `B` and `T` are first divided by how often they are seen (`evenly_seen`).
    """
    lowest = images.amin(dim=(1, 2, 3), keepdim=True).expand_as(images)
    highest = images.amax(dim=(1, 2, 3), keepdim=True).expand_as(images)
    if evenly:
        images, lowest, highest = (
            evenly_seen(one, weight.abs(), convolve) for one in (images, lowest, highest)
        )
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
    total = divisor(outputs - low_outputs - high_outputs)

    def rule(components: Tensor) -> Tensor:
        shares = components / total
        return torch.stack([factor * pull(shares) for factor, _, pull in pulls]).sum(dim=0)

    return rule


def evenly_seen(
    inputs: Float[Tensor, "b k x1 x2"], weight: Float[Tensor, "o _ _ _"], convolve: Convolve
) -> Float[Tensor, "b k x1 x2"]:
    """Inputs divided by the weight that sees each position, relative to its channel's mean.

    Windows of a strided convolution overlap unevenly: one of three pixels in steps of two sees
    every other row and column twice, and the others once. Even inputs would so get components in
    the pattern of a chequerboard (Odena et al., Deconvolution and Checkerboard Artifacts, 2016).
    Divided by `Wᵀ1`, they get even ones. Ours: the published method knows no such convolution.

    Args:
        inputs: `X`.
        weight: `W` of one sign.
        convolve: of the inputs with the weight.
    """
    outputs, pull = pulled_back(lambda x: convolve(x, weight), inputs[:1])
    seen = pull(torch.ones_like(outputs))
    return inputs * (seen.mean(dim=(2, 3), keepdim=True) / divisor(seen))


def share_of_addition(
    one: Float[Tensor, "b ..."], other: Float[Tensor, "b ..."]
) -> Float[Tensor, "b ..."]:
    """Share in [0, 1] of a sum's first term, by their positive parts; half where there are none.

    Our extension to residual networks: the published method knows no additions.
    """
    share = one.clamp(min=0)
    total = other.clamp(min=0).add_(share)
    return share.div_(total).masked_fill_(total == 0, 0.5)


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
