"""Reciprocal activation maps (Byun and Lee): the scores of one position of the features alone."""

from collections.abc import Iterator
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from wsss.argument_checks import check_choice, check_whole
from wsss.cams.core.method import CamMethod, Classes, Images, Maps, Provenance
from wsss.models.classifier import LinearHead, SplitClassifier
from wsss.models.feature_maps import feature_maps

# Shape suffixes: r = masked copies in a chunk, p = positions h·w in raster order.

Mask = Literal["delta", "gaussian", "gaussian_neighbour"]
Score = Literal["probability", "logit"]
Baseline = Literal["zeros", "none"]


def mask_kernel(mask: Mask) -> Float[Tensor, "q q"]:
    """Weights of a mask around its centre, float64: 1, or [1 2 1; 2 4 2; 1 2 1]/16.

    The kernel of the main class and of Intel's code; it sums to 1, and its centre is 1/4.
    """
    if mask == "delta":
        return torch.ones(1, 1, dtype=torch.float64)
    row = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64) / 4
    return torch.outer(row, row)


def centred_masks(kernel: Float[Tensor, "q q"], size: tuple[int, int]) -> Float[Tensor, "p h w"]:
    """The kernel centred at every position of a `size` grid, cut off at the borders."""
    height, width = size
    positions = torch.eye(height * width, dtype=kernel.dtype, device=kernel.device)
    grid = positions.view(-1, 1, height, width)
    return F.conv2d(grid, kernel[None, None], padding=kernel.shape[0] // 2)[:, 0]


def replicated_copies(
    features: Float[Tensor, "b k h w"], masks: Float[Tensor, "p h w"], chunk_rows: int
) -> Iterator[Float[Tensor, "r k h w"]]:
    """Chunks of copies that hold one position's channels, spread by its mask: `A(:,i,j) G_ij`."""
    columns = features.flatten(2).transpose(1, 2).flatten(0, 1)
    for rows in torch.split(torch.arange(len(columns), device=features.device), chunk_rows):
        yield columns[rows][:, :, None, None] * masks[rows % len(masks)][:, None]


def neighbour_copies(
    features: Float[Tensor, "b k h w"], masks: Float[Tensor, "p h w"], chunk_rows: int
) -> Iterator[Float[Tensor, "r k h w"]]:
    """Chunks of copies in which the mask multiplies every position's own channels: `A ⊙ G_ij`."""
    positions = torch.arange(len(features) * len(masks), device=features.device)
    for rows in torch.split(positions, chunk_rows):
        copies = features[rows // len(masks)]
        yield copies.mul_(masks[rows % len(masks)][:, None])


def scores_of_copies(
    head: nn.Module, features: Float[Tensor, "b k h w"], mask: Mask, chunk_rows: int
) -> Float[Tensor, "b p c"]:
    """Logits of every masked copy, by literal passes of the head over chunks of copies."""
    masks = centred_masks(mask_kernel(mask).to(features), (features.shape[2], features.shape[3]))
    copies = neighbour_copies if mask == "gaussian_neighbour" else replicated_copies
    logits = [head(chunk) for chunk in copies(features, masks, chunk_rows)]
    return torch.cat(logits).view(len(features), len(masks), -1)


def pooled_scores(
    head: LinearHead, features: Float[Tensor, "b k h w"], mask: Mask
) -> Float[Tensor, "b p c"]:
    """The same logits where the head pools: only a copy's sum matters, and the head is linear.

    `(Σ G_ij) CAM(i,j)/Z + b` for replicated channels, `(G * CAM)(i,j)/Z + b` for neighbours.
    """
    cells = features.shape[2] * features.shape[3]
    maps = F.conv2d(features, head.weight[:, :, None, None] / cells)
    kernel = mask_kernel(mask).to(maps)[None, None]
    padding = kernel.shape[-1] // 2
    if mask == "gaussian_neighbour":
        maps = F.conv2d(maps.flatten(0, 1)[:, None], kernel, padding=padding).view_as(maps)
    elif mask == "gaussian":
        maps = maps * F.conv2d(torch.ones_like(maps[:1, :1]), kernel, padding=padding)
    scores = maps.flatten(2).transpose(1, 2)
    return scores if head.bias is None else scores + head.bias


def scores_of_logits(
    model: SplitClassifier, logits: Float[Tensor, "*b c"], score: Score
) -> Float[Tensor, "*b c"]:
    """Probabilities, as the model was trained with, or the logits; at least single precision.

    Logits differ little between positions: half precision would lose the map.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return model.probabilities(logits) if score == "probability" else logits


def scores_above(
    model: SplitClassifier,
    logits: Float[Tensor, "b p c"],
    baseline: Float[Tensor, "*q c"] | None,
    score: Score,
) -> Float[Tensor, "b p c"]:
    """Scores of logits minus those of the baseline, the logits of features masked everywhere."""
    if baseline is None:
        return scores_of_logits(model, logits, score)
    if score == "probability" and model.multi_label:
        # The difference of two sigmoids without their common 1/2, which would round it away.
        found, zero = (scores_of_logits(model, one, "logit") for one in (logits, baseline))
        return ((found / 2).tanh() - (zero / 2).tanh()) / 2
    return scores_of_logits(model, logits, score) - scores_of_logits(model, baseline, score)


def maps_of_classes(
    scores: Float[Tensor, "b p c"], classes: Int64[Tensor, "b n"], size: tuple[int, int]
) -> Float[Tensor, "b n h w"]:
    """The chosen classes' scores at the positions of a `size` grid, in raster order."""
    chosen = classes[:, None].expand(-1, scores.shape[1], -1)
    return scores.gather(2, chosen).transpose(1, 2).reshape(*classes.shape, *size)


def baseline_logits(head: nn.Module, features: Float[Tensor, "b k h w"]) -> Float[Tensor, " c"]:
    """Logits of features that are 0 at every position."""
    if isinstance(head, LinearHead):
        return features.new_zeros(head.num_classes) if head.bias is None else head.bias
    return head(torch.zeros_like(features[:1]))[0]  # type: ignore[no-any-return]


class ReciproCAM(CamMethod):
    """Scores of features that are masked all but one position, without gradients.

    All classes come from the same passes of the head, which sees one masked copy of the features
    for every position; a linear head on global average pooling needs no copies.

    The authors stretch scores to [0, 1], which removes any constant. Seeds are divided by their
    maximum instead, so that zero must mean no evidence: here it is the score of features that are
    masked everywhere.
    """

    provenance = Provenance(
        "Byun and Lee, ReciproCAM: Lightweight Gradient-free Class Activation Map for Post-hoc "
        "Explanations, CVPR Workshops 2024"
    )

    def __init__(
        self,
        *,
        mask: Mask = "delta",
        score: Score = "probability",
        baseline: Baseline = "zeros",
        chunk_rows: int = 32,
    ) -> None:
        """Choose the variant; the authors' CVPR release runs `delta`, `probability` and `none`.

        Args:
            mask: `delta` keeps one position; `gaussian` spreads its channels over the 3 × 3
                neighbourhood; `gaussian_neighbour` keeps the neighbours' own channels, weighted.
            score: `probability`, the sigmoid or soft-max the model was trained with, or `logit`.
            baseline: `zeros` subtracts the score of features that are masked everywhere; `none`
                leaves scores as they are.
            chunk_rows: masked copies in one pass of the head, where it is not linear.

        Raises:
            ValueError: an option is none of these.
        """
        check_choice(get_args(Mask), mask=mask)
        check_choice(get_args(Score), score=score)
        check_choice(get_args(Baseline), baseline=baseline)
        check_whole(1, chunk_rows=chunk_rows)
        self.mask: Mask = mask
        self.score: Score = score
        self.baseline: Baseline = baseline
        self.shares_score = baseline == "zeros"  # what one position adds to a mean over all
        self.chunk_rows = chunk_rows

    def maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Scores of `n` classes at each position of the features, less those of the baseline."""
        features = feature_maps(model.features, images)
        if isinstance(model.head, LinearHead):
            logits = pooled_scores(model.head, features, self.mask)
        else:
            logits = scores_of_copies(model.head, features, self.mask, self.chunk_rows)
        is_relative = self.baseline == "zeros"
        baseline = baseline_logits(model.head, features) if is_relative else None
        scores = scores_above(model, logits, baseline, self.score)
        return maps_of_classes(scores, classes, (features.shape[2], features.shape[3]))
