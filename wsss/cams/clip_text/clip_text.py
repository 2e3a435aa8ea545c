"""Seeds from class names: soft-max Grad-CAM of CLIP, refined by its attention (CLIP-ES)."""

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from wsss.argument_checks import check_choice, check_number, check_whole
from wsss.cams.clip_text.attention_affinity import affinity, box_mask, spread
from wsss.cams.core.gradients import class_gradients
from wsss.cams.core.method import CamMethod, Classes, Images, Maps, Provenance
from wsss.cams.core.needs import Need
from wsss.cams.core.postprocess import normalise_minmax
from wsss.models.attention import explicit_attention
from wsss.models.classifier import SplitClassifier
from wsss.models.vit import VitBackbone


def log_odds(logits: Float[Tensor, "b c"], classes: Classes) -> Float[Tensor, "b n"]:
    """Logits `log p / (1 - p)` of the soft-max `p` over an image's classes and background.

    `f_c - log(1 + Σ exp f_k)`, with the sum over the image's other classes. Their gradient is that
    of `p` divided by `p (1 - p)`: maps that are stretched to [0, 1] are the same, and a score near
    0 or 1 rounds nothing away.

    Args:
        logits: of classes against background, whose own logit is 0.
        classes: indices of each image; those that are there twice count once.
    """
    shown = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, classes, True)
    own = torch.zeros_like(logits[:, None].expand(-1, classes.shape[1], -1), dtype=torch.bool)
    own = own.scatter(2, classes[:, :, None], True)
    rivals = logits[:, None].masked_fill(~shown[:, None] | own, -torch.inf)
    background = torch.zeros_like(rivals[:, :, :1])
    against = torch.cat([background, rivals], dim=2).logsumexp(dim=2)
    return logits.gather(1, classes) - against


class ClipText(CamMethod):
    """Grad-CAM of a text's soft-max score, spread along the attention between patches.

    For a classifier whose classes are texts (`TextHead`). The score of a class competes with those
    of the image's other classes and of usual backgrounds, which keeps what comes along with a class
    out of its map. As the authors' code has it (linyq2117/CLIP-ES, MIT): gradients are those by the
    last layer's normalised input, whose attention branch alone they pass; the class token's is left
    out; the image's classes share the soft-max, so that a map depends on its company.
    """

    needs = frozenset({Need.TEXT_HEAD, Need.TOKENS, Need.ATTENTION})
    needs_gradients = True
    provenance = Provenance(
        "Lin et al., CLIP is Also an Efficient Segmenter: A Text-Driven Approach for Weakly "
        "Supervised Semantic Segmentation, CVPR 2023"
    )

    def __init__(
        self,
        *,
        attention_layers: int = 8,
        sinkhorn_rounds: int = 3,
        power: int = 2,
        box_threshold: float = 0.4,
        compat: str | None = None,
    ) -> None:
        """Choose how maps spread.

        Args:
            attention_layers: the last layers, whose attention is averaged; 0 leaves maps as they
                are; a network of fewer gives all that it has.
            sinkhorn_rounds: rounds of normalising columns and rows.
            power: of the affinity, t in the paper: steps that activation takes.
            box_threshold: activation spreads out of the boxes around cells at or above this share
                of the maximum: 0.4 on VOC, 0.7 on COCO.
            compat: `official` ends boxes in front of the last row and column, as the authors' code
                does.

        Raises:
            ValueError: an option is out of its range.
        """
        check_whole(0, attention_layers=attention_layers)
        check_whole(1, sinkhorn_rounds=sinkhorn_rounds, power=power)
        check_number(lambda one: 0 < one <= 1, "above 0, up to 1", box_threshold=box_threshold)
        check_choice((None, "official"), compat=compat)
        self.attention_layers = attention_layers
        self.sinkhorn_rounds = sinkhorn_rounds
        self.power = power
        self.box_threshold = box_threshold
        self.compat = compat

    def maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Maps in [0, 1], a cell for a patch."""
        together = cast("VitBackbone", model.features).images_at_once(images)
        parts = zip(torch.split(images, together), torch.split(classes, together), strict=True)
        return torch.cat([self._maps(model, *part) for part in parts])

    def _maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """The maps of a few images, whose attention is in memory at once."""
        network = cast("VitBackbone", model.features)
        layers = range(-min(self.attention_layers, network.num_layers), 0)
        attentions = network.attentions(layers) if layers else []
        with explicit_attention(attentions) as total:
            tokens, normalised = network.before_last_layer(images)
            leaf = normalised.detach().requires_grad_()
            features = network.last_layer(tokens.detach(), leaf, network.grid(images))
        scores = log_odds(model.head(features), classes)
        columns = torch.arange(classes.shape[1], device=classes.device).expand_as(classes)
        prefix = network.network.num_prefix_tokens
        patches = normalised[:, prefix:].detach()
        weights = [
            gradient[:, prefix:].mean(dim=1)
            for (gradient,) in class_gradients(scores, [leaf], columns)
        ]
        cams = torch.einsum("bnd,btd->bnt", torch.stack(weights, dim=1), patches).relu()
        maps = normalise_minmax(cams.reshape(*cams.shape[:2], *network.grid(images)))
        if not attentions:
            return maps
        attention = total[0].detach()[:, prefix:, prefix:]
        between = affinity(attention, self.sinkhorn_rounds, self.power)
        boxes = box_mask(maps, self.box_threshold, self.compat == "official")
        return normalise_minmax(spread(maps, between, boxes))
