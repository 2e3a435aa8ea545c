"""Faithful and discriminative maps (FD-CAM): gradients weighted by switching groups of channels."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from wsss.argument_checks import check_number, check_whole
from wsss.cams.core.gradients import mean_gradients
from wsss.cams.core.method import CamMethod, Classes, Images, Maps, Provenance
from wsss.cams.core.postprocess import normalise_minmax
from wsss.machine.numerics import any_order
from wsss.models.classifier import LinearHead, SplitClassifier
from wsss.models.feature_maps import feature_maps


def similar_channels(activations: Float[Tensor, "k h w"], quantile: float) -> Float[Tensor, "k k"]:
    """Group of each channel, one row of zeros and ones: those whose cosine exceeds the quantile.

    `G_k = {j : cos_kj > quantile_θ(cos_k·)}`; a dead channel's cosines are 0. Ties at the quantile
    can empty a group (many dead or equal channels); it is then the channel alone.
    """
    precise = torch.promote_types(activations.dtype, torch.float32)
    directions = F.normalize(activations.flatten(1).to(precise), dim=1)
    groups = (directions @ directions.T).to(precise)  # Mixed precision rounds products.
    # A quantile is interpolated between two neighbours in sorted order. No value lies between them,
    # so that comparing with the lower one gives the same groups.
    lower = int((len(groups) - 1) * quantile)
    groups.gt_(order_statistic(groups, lower)[:, None])
    empty = groups.sum(dim=1) == 0
    groups.diagonal()[empty] = 1
    return groups.to(activations.dtype)


def order_statistic(values: Float[Tensor, "m k"], index: int) -> Float[Tensor, " m"]:
    """The value at `index`, counted from 0, of every row if it were sorted."""
    if values.device.type == "cpu":
        # Eight times faster than torch.kthvalue, and four times than torch.topk.
        return torch.from_numpy(np.partition(values.numpy(), index, axis=1)[:, index])
    with any_order():  # Of equal values any may be found.
        return values.kthvalue(index + 1, dim=1).values


def switching_scores(
    head: nn.Module, features: Float[Tensor, "k h w"], groups: Float[Tensor, "k k"], chunk_rows: int
) -> Float[Tensor, "k c"]:
    """Logits with a channel's group alone, plus what they lose without it: `on_k + off_k`.

    `on_k = f(A in G_k)` and `off_k = f(A) - f(A without G_k)`, by literal passes of the head.
    """
    logits = head(features[None])
    scores = [
        head(features * group[:, :, None, None])
        + logits
        - head(features * (1 - group)[:, :, None, None])
        for group in torch.split(groups, chunk_rows)
    ]
    return torch.cat(scores)


def pooled_switching_scores(
    head: LinearHead, features: Float[Tensor, "k h w"], groups: Float[Tensor, "k k"]
) -> Float[Tensor, "k c"]:
    """The same scores of a linear head: `2 Σ_{j ∈ G_k} W_cj mean(A_j) + b_c`."""
    doubled = 2 * groups @ (head.weight * features.mean(dim=(1, 2))).T
    return doubled if head.bias is None else doubled + head.bias


def channel_weights(
    scores: Float[Tensor, "*b k"], gradients: Float[Tensor, "*b k"]
) -> Float[Tensor, "*b k"]:
    """Weights in [-½, e-½] of the channels: `exp(ŝ_k) ĝ_k - ½`, with min-max over the channels."""
    stretched, slopes = (normalise_minmax(one, dim=-1) for one in (scores, gradients))
    return stretched.exp() * slopes - 0.5


class FDCAM(CamMethod):
    """Gradient weights of channels, modulated by what switching their group on and off changes."""

    provenance = Provenance(
        "Li et al., FD-CAM: Improving Faithfulness and Discriminability of Visual Explanation "
        "for CNNs, ICPR 2022"
    )
    needs_gradients = True

    def __init__(self, *, quantile: float = 0.95, chunk_rows: int = 32) -> None:
        """Choose how large the groups are.

        Args:
            quantile: of a channel's cosines to all channels; those above it are its group.
            chunk_rows: switched feature maps in one pass of the head, where it is not linear.

        Raises:
            ValueError: an option is out of range.
        """
        check_number(lambda share: 0 <= share < 1, "from 0 to below 1", quantile=quantile)
        check_whole(1, chunk_rows=chunk_rows)
        self.quantile = quantile
        self.chunk_rows = chunk_rows

    def maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Raw maps of `n` classes of each image; images one by one, their groups are K × K."""
        features = feature_maps(model.features, images).detach()
        gradients = mean_gradients(model.head, features, classes)
        maps = []
        for activations, slopes, own in zip(features, gradients, classes, strict=True):
            groups = similar_channels(activations, self.quantile)
            scores = self._scores(model.head, activations, groups)[:, own].T
            maps.append(torch.einsum("nk,khw->nhw", channel_weights(scores, slopes), activations))
        return torch.stack(maps)

    def _scores(
        self, head: nn.Module, features: Float[Tensor, "k h w"], groups: Float[Tensor, "k k"]
    ) -> Float[Tensor, "k c"]:
        """Scores of all classes; a linear head needs no passes."""
        if isinstance(head, LinearHead):
            return pooled_switching_scores(head, features, groups)
        return switching_scores(head, features, groups, self.chunk_rows)
