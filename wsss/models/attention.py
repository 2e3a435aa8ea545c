"""Attention between the patches of a vision transformer."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from timm.layers.attention import Attention

# Shape suffixes: B = batch, N = patches, M = columns, T = tokens: the class token, then patches.


def patch_attention(attention: Float[Tensor, "b t t"]) -> Float[Tensor, "b N N"]:
    """Attention between patches, without the class token, every row divided by its sum."""
    return normalise_rows(attention[:, 1:, 1:])


def without_other_tokens(
    attention: Float[Tensor, "b p p"], num_prefix: int
) -> Float[Tensor, "b t t"]:
    """Attention without the tokens behind the class token and in front of the patches.

    Args:
        attention: of the class token, registers and distillation tokens, and patches.
        num_prefix: tokens in front of the patches, the class token included; 1 or more.
    """
    if num_prefix == 1:
        return attention
    kept = [0, *range(num_prefix, attention.shape[1])]
    return attention[:, kept][:, :, kept]


def normalise_rows(matrix: Float[Tensor, "b N M"]) -> Float[Tensor, "b N M"]:
    """Rows divided by their sums; rows of zeros stay zeros."""
    sums = matrix.sum(dim=2, keepdim=True)
    return matrix / sums.where(sums > 0, 1)


@contextmanager
def explicit_attention(modules: Sequence["Attention"]) -> Iterator[list[Float[Tensor, "b t t"]]]:
    """Sum the attention of modules, averaged over heads, in a forward pass in the block.

    In the block the modules compute it explicitly, without timm's fused kernel.

    Yields:
        An empty list, which holds the sum after the pass.
    """
    total: list[Tensor] = []

    def keep(_dropout: Any, inputs: tuple[Tensor]) -> None:
        attention = inputs[0].mean(dim=1)
        # Summed at once: the matrices of twelve layers would take twelve times the memory.
        total[:] = [total[0].add_(attention) if total else attention]

    with ExitStack() as stack:
        for module in modules:
            stack.enter_context(module.attn_drop.register_forward_pre_hook(keep))
            stack.callback(setattr, module, "fused_attn", module.fused_attn)
            module.fused_attn = False  # type: ignore[misc]
        yield total
