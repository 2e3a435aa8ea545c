"""Maps against representative opponents, fused over layers (Meng et al., arXiv 1901.07683)."""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from wsss.argument_checks import check_at_least, check_choice, check_layers, layer_names
from wsss.cams.core.method import CamMethod, Classes, Images, Maps, Provenance
from wsss.cams.core.needs import Need
from wsss.cams.core.postprocess import normalise_max, resize
from wsss.errors import InvalidOptionError
from wsss.models.backbones import Backbone
from wsss.models.class_pair_heads import PairHeads, PairNetworks
from wsss.models.classifier import SplitClassifier
from wsss.models.last_block import boundary
from wsss.models.layer_outputs import differentiable_from

# Shape suffixes: b = batch, n = classes of an image, r = opponents of a class, j = n·r pairs of an
# image, k = channels, h, w = a layer's map.


def pair_maps(
    features: Float[Tensor, "b k h w"], difference: Float[Tensor, "b j k"]
) -> Float[Tensor, "b j h w"]:
    """Maps of a class against an opponent, `M_{c|r} = Σ_k (W_ck − W_rk) A_k`; signed."""
    return torch.einsum("bjk,bkhw->bjhw", difference, features)


def inner_pair_maps(
    pooled: Float[Tensor, "b k"], layers: Sequence[Tensor], difference: Float[Tensor, "b j k"]
) -> list[Float[Tensor, "b j _ _"]]:
    """Grad-CAM of inner layers for `y = f_c − f_r`: `ReLU(Σ_k mean(∂y/∂A_k) A_k)` (Selvaraju).

    One backward pass a pair, for the whole batch: autograd's batched gradients need memory for all
    pairs, and leave the channels-last layout, which takes twice as long on a CPU.

    Args:
        pooled: features averaged over the map, with a graph back to `layers`.
        layers: outputs of inner layers, each [b, _, _, _].
        difference: weights of a class minus those of its opponent, so that `y` is their product
            with `pooled`.
    """
    if not layers:
        return []
    num_pairs = difference.shape[1]
    weights: list[list[Tensor]] = [[] for _ in layers]
    for pair in range(num_pairs):
        gradients = torch.autograd.grad(
            pooled, layers, difference[:, pair], retain_graph=pair < num_pairs - 1
        )
        for found, gradient in zip(weights, gradients, strict=True):
            found.append(gradient.mean(dim=(2, 3)))
    return _weighted(weights, layers)


def own_stage_maps(
    networks: PairNetworks,
    pairs: Int64[Tensor, "b j"],
    inner: Float[Tensor, "b _ _ _"],
    layers: Sequence[Tensor],
) -> list[Float[Tensor, "b j _ _"]]:
    """`inner_pair_maps` and the positive part of `pair_maps`, of pairs with their own last stage.

    Args:
        networks: the last stages and heads.
        pairs: of each image.
        inner: input of the last stages, with a graph back to `layers`.
        layers: outputs of inner layers, each [b, _, _, _].
    """
    weights: list[list[Tensor]] = [[] for _ in layers]
    last = []
    for own in pairs.T:
        of_images = zip(torch.split(inner, 1), own.tolist(), strict=True)
        features = torch.cat([networks.features(one, pair) for one, pair in of_images])
        difference = networks.difference.detach()[own]
        decision = (features.mean(dim=(2, 3)) * difference).sum()
        gradients = torch.autograd.grad(decision, layers, retain_graph=True) if layers else ()
        for found, gradient in zip(weights, gradients, strict=True):
            found.append(gradient.mean(dim=(2, 3)))
        last.append(pair_maps(features.detach(), difference[:, None]).relu())
    return [*_weighted(weights, layers), torch.cat(last, dim=1)]


def _weighted(
    weights: Sequence[list[Float[Tensor, "b _"]]], layers: Sequence[Float[Tensor, "b _ _ _"]]
) -> list[Float[Tensor, "b j _ _"]]:
    """`ReLU(Σ_k α_k A_k)` of each layer, for each pair's channel weights α."""
    return [
        torch.einsum("bjk,bkhw->bjhw", torch.stack(found, dim=1), layer.detach()).relu()
        for found, layer in zip(weights, layers, strict=True)
    ]


def fuse_layers(
    maps: Sequence[Float[Tensor, "b j _ _"]], weights: Sequence[float], gate: bool
) -> Float[Tensor, "b j h w"]:
    """Weighted mean of the layers' maps in [0, 1] on the finest grid, `Σ_l λ_l M^l / Σ_l λ_l`.

    Args:
        maps: non-negative maps of each layer, shallow to deep.
        weights: λ of each layer.
        gate: take the deepest map wherever it is lower than the mean. A product would square the
            maps' scale, which rules for the background's threshold and the CRF read.
    """
    height, width = max(tuple(one.shape[2:]) for one in maps)
    resized = [resize(normalise_max(one), (height, width)) for one in maps]
    fused = torch.stack([w * one for w, one in zip(weights, resized, strict=True)]).sum(dim=0)
    fused = fused / sum(weights)
    return torch.minimum(fused, resized[-1]) if gate else fused


def fuse_opponents(
    maps: Float[Tensor, "b n r h w"], real: Bool[Tensor, "b n r"], how: str
) -> Float[Tensor, "b n h w"]:
    """Mean or maximum over the maps in [0, 1] against each opponent.

    Args:
        maps: non-negative.
        real: whether a map counts; classes have different numbers of opponents.
        how: `mean` or `max`.
    """
    counted = maps * real[..., None, None]
    if how == "max":
        return counted.amax(dim=2)
    return counted.sum(dim=2) / real.sum(dim=2).clamp(min=1)[..., None, None]


class Meng(CamMethod):
    """Maps of a class against a few representative classes, at several layers.

    Reconstruction from the published abstract: binary models against representatives that
    clustering chose, and the fusion of layers, are the paper's; the models (linear heads on one
    backbone), the maps of inner layers (Grad-CAM), the weights, the gate and the mean over
    opponents are ours. The stage `oppose` trains the heads and, with `oppose=meng_finetune`, a last
    stage of the backbone for every pair.
    """

    needs = frozenset({Need.INNER_LAYERS, Need.PAIR_HEADS})
    needs_gradients = True
    provenance = Provenance(
        "Meng et al., Class Activation Map Generation by Representative Class Selection and "
        "Multi-Layer Feature Fusion, arXiv 1901.07683, 2019",
        "class descriptors, clustering, number of representatives, pair classifiers, maps of inner "
        "layers and both fusion rules",
    )

    def __init__(
        self,
        *,
        layers: Sequence[str] | None = None,
        layer_weights: Sequence[float] = (0.2, 0.3, 0.5),
        gate: bool = True,
        opponents: str = "mean",
    ) -> None:
        """Set how maps are fused.

        Args:
            layers: names of inner layers, each once, in any order; None takes the two stages before
                the last. The features themselves always follow them.
            layer_weights: λ of every inner layer, in the order of `layers`, and of the features.
            gate: take the features' map wherever it is lower than the mean over layers.
            opponents: `mean` or `max` over the maps against each opponent.

        Raises:
            ValueError: `opponents` is neither, `layers` is no list of different names, or a weight
                is negative, or all are 0.
        """
        check_choice(("mean", "max"), opponents=opponents)
        for weight in layer_weights:
            check_at_least(0, layer_weights=weight)
        if not any(layer_weights):
            raise InvalidOptionError("layer_weights", list(layer_weights), "one above 0")
        self.layers = layer_names(layers)
        self.layer_weights = tuple(layer_weights)
        self.gate = gate
        self.opponents = opponents

    def check(self, model: SplitClassifier) -> None:
        """Refuse a model without pair heads, or without the chosen layers.

        Raises:
            WsssError: names what is missing.
        """
        super().check(model)
        self._inner(model)

    def maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Maps in [0, 1] on the grid of the shallowest layer."""
        heads = cast("PairHeads", model.pair_heads)
        pairs, real = heads.of_classes(classes)
        pairs_of_image = pairs.flatten(1, 2)
        layers, layer_weights = self._inner(model)
        if isinstance(heads, PairNetworks):
            start = boundary(cast("Backbone", model.features))
            looked_at = layers if start in layers else [*layers, start]
            with differentiable_from(model, looked_at) as inner:
                model.features(images)
                maps = own_stage_maps(heads, pairs_of_image, inner[-1], inner[: len(layers)])
        else:
            difference = heads.difference.detach()[pairs_of_image]
            with differentiable_from(model, layers) as inner:
                features = model.features(images)
                maps = inner_pair_maps(features.mean(dim=(2, 3)), inner, difference)
            maps.append(pair_maps(features.detach(), difference).relu())
        fused = normalise_max(fuse_layers(maps, layer_weights, self.gate))
        return fuse_opponents(fused.reshape(*real.shape, *fused.shape[2:]), real, self.opponents)

    def _inner(self, model: SplitClassifier) -> tuple[list[nn.Module], list[float]]:
        """The inner layers to look at, shallow to deep, and λ of each and of the features."""
        known = model.inner_layers
        names = [*known][-3:-1] if self.layers is None else [*self.layers]
        check_layers(names, known)
        if isinstance(model.pair_heads, PairNetworks) and [*known][-1] in names:
            raise InvalidOptionError(
                "layers", names, f"some of {', '.join([*known][:-1])}",
                f"{[*known][-1]} is in the last stage, which every pair has of its own",
                "Leave it out: the features stand for it.",
            )  # fmt: skip
        if len(self.layer_weights) != len(names) + 1:
            expected = f"one for each of {', '.join(names)}, and one for the features"
            raise InvalidOptionError(
                "layer_weights", [*self.layer_weights], f"{len(names) + 1} weights: {expected}"
            )
        *inner_weights, last_weight = self.layer_weights
        # Outputs are captured in the order of the forward pass, whatever the order of the names.
        of_name = dict(zip(names, inner_weights, strict=True))
        chosen = [name for name in known if name in of_name]
        return [known[name] for name in chosen], [*map(of_name.__getitem__, chosen), last_weight]
