"""Reciprocal activation maps of vision transformers (Byun and Lee): tokens masked all but one."""

from typing import Literal, cast, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from wsss.argument_checks import check_choice, check_whole
from wsss.cams.core.method import CamMethod, Classes, Images, Maps, Provenance
from wsss.cams.core.needs import Need
from wsss.cams.recipro_cam import (
    Baseline,
    Score,
    centred_masks,
    maps_of_classes,
    mask_kernel,
    scores_above,
)
from wsss.models.classifier import SplitClassifier
from wsss.models.vit import VitBackbone

# Shape suffixes: m = masks, t = tokens (those in front and p = h·w patches), d = channels.

TokenMask = Literal["delta", "gaussian_neighbour"]


def token_masks(mask: TokenMask, grid: tuple[int, int], num_prefix: int) -> Float[Tensor, "m t"]:
    """Weights of tokens around each patch of a `grid`, and a last row that keeps no patch.

    The first `num_prefix` tokens are kept as they are in every row.
    """
    around = centred_masks(mask_kernel(mask), grid).flatten(1)
    patches = torch.cat([around, around.new_zeros(1, around.shape[1])])
    return torch.cat([patches.new_ones(len(patches), num_prefix), patches], dim=1)


def logits_of_masked_tokens(
    model: SplitClassifier, images: Float[Tensor, "b 3 H W"], mask: TokenMask, chunk_rows: int
) -> Float[Tensor, "b m c"]:
    """Logits from the last layer on, for every mask of `token_masks` in turn.

    The mask multiplies the tokens of the residual branch and the normalised tokens that attention
    sees: a masked token is zero in both, and others still attend to it.
    """
    network = cast("VitBackbone", model.features)
    grid = network.grid(images)
    tokens, normalised = network.before_last_layer(images)
    masks = token_masks(mask, grid, network.network.num_prefix_tokens).to(tokens)
    logits = []
    every = torch.arange(len(tokens) * len(masks), device=tokens.device)
    for rows in torch.split(every, chunk_rows):
        owners, weights = rows // len(masks), masks[rows % len(masks), :, None]
        kept, seen = (part[owners].mul_(weights) for part in (tokens, normalised))
        logits.append(model.head(network.last_layer(kept, seen, grid)))
    return torch.cat(logits).view(len(tokens), len(masks), -1)


class TokenReciproCAM(CamMethod):
    """Scores of tokens that are masked all but one patch before the last layer, without gradients.

    The class token, and others in front of the patches, are never masked. It takes as many passes
    through the last layer as there are patches, and one more for the zero: see `ReciproCAM`.
    """

    needs = frozenset({Need.TOKENS})
    provenance = Provenance(
        "Byun and Lee, ViT-ReciproCAM: Gradient and Attention-Free Visual Explanations for Vision "
        "Transformer, arXiv 2310.02588, 2023"
    )

    def __init__(
        self,
        *,
        mask: TokenMask = "gaussian_neighbour",
        score: Score = "logit",
        baseline: Baseline = "zeros",
        chunk_rows: int = 32,
    ) -> None:
        """Choose the variant; Intel's release runs `gaussian_neighbour`, `logit` and `none`.

        Args:
            mask: `gaussian_neighbour` keeps a patch and, less, its eight neighbours; `delta` the
                patch alone.
            score: `logit`, or `probability`, the sigmoid or soft-max the model was trained with.
            baseline: `zeros` subtracts the score of an image whose patches are all masked; `none`
                leaves scores as they are.
            chunk_rows: masked copies in one pass of the last layer.

        Raises:
            ValueError: an option is none of these.
        """
        check_choice(get_args(TokenMask), mask=mask)
        check_choice(get_args(Score), score=score)
        check_choice(get_args(Baseline), baseline=baseline)
        check_whole(1, chunk_rows=chunk_rows)
        self.mask: TokenMask = mask
        self.score: Score = score
        self.baseline: Baseline = baseline
        self.shares_score = baseline == "zeros"
        self.chunk_rows = chunk_rows

    def maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Scores of `n` classes at each patch, less those of the baseline."""
        logits = logits_of_masked_tokens(model, images, self.mask, self.chunk_rows)
        nothing = logits[:, -1:] if self.baseline == "zeros" else None
        scores = scores_above(model, logits[:, :-1], nothing, self.score)
        return maps_of_classes(scores, classes, cast("VitBackbone", model.features).grid(images))
