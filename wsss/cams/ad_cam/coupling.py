"""Ways to couple activation maps with the attention between their pixels."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from wsss.argument_checks import check_choice, check_fraction, check_whole
from wsss.cams.core.method import Provenance
from wsss.models.attention import normalise_rows, patch_attention

# Shape suffixes: B = batch, n = classes of an image, N = patches, T = tokens: class token, patches.


class Coupling(ABC):
    """Makes one map of an activation map and attention."""

    provenance: ClassVar[Provenance]
    """Where a method with this coupling comes from."""
    needs_class_token: ClassVar[bool] = False
    """Whether it looks at the attention of the class token."""

    @abstractmethod
    def __call__(
        self, maps: Float[Tensor, "b n N"], attention: Float[Tensor, "b t t"]
    ) -> Float[Tensor, "b n N"]:
        """Coupled maps.

        Args:
            maps: activations of each patch, not negative.
            attention: row `i` is token `i`'s attention to each token; token 0 is the class token.
                Averaged over heads, summed over layers.
        """


def overlap(attention: Float[Tensor, "b N N"]) -> Float[Tensor, "b N N"]:
    """Attention that two rows have in common, `S_ij = Σ_k min(A_ik, A_jk)`, in [0, 1].

    As `1 − ½ Σ_k |A_ik − A_jk|`, which is the same for rows that sum to 1 and needs no N × N × N
    numbers.
    """
    return torch.cdist(attention, attention, p=1).div_(-2).add_(1).clamp_(0, 1)


def bhattacharyya(attention: Float[Tensor, "b N N"]) -> Float[Tensor, "b N N"]:
    """Bhattacharyya coefficient of two rows, `S_ij = Σ_k √(A_ik A_jk)`, in [0, 1]."""
    roots = attention.sqrt()
    return (roots @ roots.transpose(1, 2)).clamp_(0, 1)


def cosine(attention: Float[Tensor, "b N N"]) -> Float[Tensor, "b N N"]:
    """Cosine of the angle between two rows, in [0, 1]."""
    rows = F.normalize(attention, dim=2)
    return (rows @ rows.transpose(1, 2)).clamp_(0, 1)


AGREEMENTS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "overlap": overlap,
    "bhattacharyya": bhattacharyya,
    "cosine": cosine,
}
"""Formulas of the agreement between two patches' attention."""


def shares(
    attention: Float[Tensor, "b N N"], agreement: Callable[[Tensor], Tensor] = overlap
) -> Float[Tensor, "b N N"]:
    """Share of patch `i`'s activation that goes to `j`: `P_ij = Â_ij / Σ_j Â_ij`, `Â = A ⊙ S`.

    A pair whose attentions to the others differ gets less (AD-CAM: conservative).
    """
    return normalise_rows(agreement(attention).mul_(attention))


def diffuse(
    maps: Float[Tensor, "b n N"], shares: Float[Tensor, "b N N"], steps: int = 1, eta: float = 1.0
) -> Float[Tensor, "b n N"]:
    """Maps after `steps` of `M ← (1 − η) M + η M P`; `P` passes activation on from row to column.

    With rows that sum to 1 no activation is lost.
    """
    for _ in range(steps):
        maps = torch.lerp(maps, maps @ shares, eta)
    return maps


class Diffusion(Coupling):
    """Probabilistic diffusion by agreed attention (AD-CAM).

    Reconstruction from the published abstract.
    """

    provenance = Provenance(
        "Huang et al., Attention-based Class Activation Diffusion for Weakly-Supervised Semantic "
        "Segmentation, arXiv 2211.10931, 2022",
        "agreement of attentions, normalisation, layers and steps of the diffusion",
    )

    def __init__(
        self,
        *,
        agreement: Literal["overlap", "bhattacharyya", "cosine"] = "overlap",
        direction: Literal["scatter", "gather"] = "scatter",
        steps: int = 1,
        eta: float = 1.0,
    ) -> None:
        """Choose the diffusion.

        Args:
            agreement: of two patches' attentions to all others.
            direction: `scatter` gives a patch's activation away, `M P`, keeping its sum; `gather`
                averages what a patch attends to, `M Pᵀ`.
            steps: how often; 0 leaves the maps as they are.
            eta: part of a patch's activation that moves in a step, 0 to 1.

        Raises:
            ValueError: an option is out of range.
        """
        check_choice([*AGREEMENTS], agreement=agreement)
        check_choice(("scatter", "gather"), direction=direction)
        check_whole(0, steps=steps)
        check_fraction(eta=eta)
        self.agreement = agreement
        self.direction = direction
        self.steps = steps
        self.eta = eta

    def __call__(
        self, maps: Float[Tensor, "b n N"], attention: Float[Tensor, "b t t"]
    ) -> Float[Tensor, "b n N"]:
        """Diffused maps."""
        passed = shares(patch_attention(attention), AGREEMENTS[self.agreement])
        passed = passed if self.direction == "scatter" else passed.transpose(1, 2)
        return diffuse(maps, passed, self.steps, self.eta)


class Product(Coupling):
    """The class token's attention times the map, as in TS-CAM, on which AD-CAM builds.

    The map's scale is arbitrary.
    """

    provenance = Provenance(
        "Gao et al., TS-CAM: Token Semantic Coupled Attention Map, ICCV 2021: its coupling, of any "
        "classifier and any transformer"
    )
    needs_class_token = True

    def __call__(
        self, maps: Float[Tensor, "b n N"], attention: Float[Tensor, "b t t"]
    ) -> Float[Tensor, "b n N"]:
        """Weighted maps."""
        return maps * attention[:, :1, 1:]


class TransCamSum(Coupling):
    """Activations weighted by attention, `M'_i = Σ_j (Σ_layers A)_ij M_j`.

    As in TransCAM (Li et al., TransCAM: Transformer Attention-based CAM Refinement, 2023); rows are
    not normalised once the class token is dropped.
    """

    provenance = Provenance(
        "Li et al., TransCAM: Transformer Attention-based CAM Refinement for WSSS, 2023: its "
        "coupling, of any classifier and any transformer"
    )

    def __call__(
        self, maps: Float[Tensor, "b n N"], attention: Float[Tensor, "b t t"]
    ) -> Float[Tensor, "b n N"]:
        """Weighted sums of the maps."""
        return maps @ attention[:, 1:, 1:].transpose(1, 2)
