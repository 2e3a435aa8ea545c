"""Complexity and coherency of maps, and their harmonic mean with the drop: ADCC.

Poppi et al., Revisiting the Evaluation of Class Activation Mapping for Explainability, CVPR
workshops 2021. All values are fractions.
"""

from jaxtyping import Float
from torch import Tensor


def complexity(maps: Float[Tensor, "*batch h w"]) -> Float[Tensor, "*batch"]:
    """Mean absolute value of a map, `‖M‖₁ / (h w)`, in [0, 1] for maps in [0, 1]; low is better."""
    return maps.abs().mean(dim=(-2, -1))


def coherency(
    maps: Float[Tensor, "*batch h w"], maps_of_kept: Float[Tensor, "*batch h w"]
) -> Float[Tensor, "*batch"]:
    """Similarity of a map and the map of the image times that map, `(1 + ρ) / 2`, in [0, 1].

    ρ is Pearson's correlation of the two over all pixels. If one of them is constant, the coherency
    is 0, as in the authors' code. High is better.

    Args:
        maps: M(x) of a class.
        maps_of_kept: M(x ⊙ M(x)) of the same class.
    """
    ours, others = (
        (one - one.mean(dim=(-2, -1), keepdim=True)).flatten(-2) for one in (maps, maps_of_kept)
    )
    # Differences of a constant map from its mean are rounding errors, which would correlate.
    varies_both = [m.amax(dim=(-2, -1)) > m.amin(dim=(-2, -1)) for m in (maps, maps_of_kept)]
    lengths = ours.norm(dim=-1) * others.norm(dim=-1)
    usable = varies_both[0] & varies_both[1] & (lengths > 0)
    correlation: Tensor = (ours * others).sum(dim=-1) / lengths.where(usable, 1)
    return correlation.clamp(-1, 1).add(1).div(2).where(usable, 0)


def adcc(
    drops: Float[Tensor, "*batch"],
    coherencies: Float[Tensor, "*batch"],
    complexities: Float[Tensor, "*batch"],
) -> Float[Tensor, "*batch"]:
    """Harmonic mean `3 / (1/Coh + 1/(1−Compl) + 1/(1−AD))` of fractions; 0 where one part is 0."""
    inverses: Tensor = 1 / coherencies + 1 / (1 - complexities) + 1 / (1 - drops)
    return inverses.reciprocal().mul(3)
