"""Maps of several methods on one classifier, fused into one (ours)."""

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from wsss.argument_checks import check_choice
from wsss.cams.core.method import (
    CamMethod,
    Classes,
    Images,
    Maps,
    Provenance,
    check_is_method,
)
from wsss.cams.core.needs import Need
from wsss.cams.core.postprocess import normalise_max, resize
from wsss.errors import InvalidOptionError
from wsss.models.classifier import SplitClassifier


class FusedCAM(CamMethod):
    """The geometric mean of several methods' maps, each rectified and divided by its maximum.

    That happens in every pass, so in a pyramid at every scale and mirror image before these are
    summed; coarser maps are resized to the finest. Where one method sees nothing the product has
    nothing either: methods that err in different places keep what they agree on. It takes the
    passes of all of them.
    """

    provenance = Provenance("no publication: ours")

    def __init__(
        self,
        methods: Sequence[CamMethod],
        *,
        mean: Literal["arithmetic", "geometric"] = "geometric",
    ) -> None:
        """Take the methods.

        Args:
            methods: one or more. If one of them looks at scales itself, all see one scale.
            mean: `geometric`, which is 0 wherever one of the maps is, or `arithmetic`.

        Raises:
            ValueError: there is no method, one is none, or `mean` is neither.
        """
        check_choice(("arithmetic", "geometric"), mean=mean)
        if not isinstance(methods, Sequence) or not methods:
            raise InvalidOptionError("methods", methods, "a list of methods: [cam,layercam]")
        for method in methods:
            check_is_method(method, "methods")
        self.methods = tuple(methods)
        self.mean = mean
        self.needs: frozenset[Need] = frozenset().union(*(one.needs for one in self.methods))
        self.needs_gradients = any(one.needs_gradients for one in self.methods)
        self.sees_scales = any(one.sees_scales for one in self.methods)
        self.follows_operations = any(one.follows_operations for one in self.methods)

    def networks(self) -> Iterator[nn.Module]:
        """The methods' own networks."""
        for method in self.methods:
            yield from method.networks()

    def check(self, model: SplitClassifier) -> None:
        """Refuse a model that one of the methods cannot explain.

        Raises:
            WsssError: names what the method needs and a model that has it.
        """
        for method in self.methods:
            method.check(model)

    def maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Fused maps in [0, 1] of `n` classes of each image, on the finest grid of all."""
        maps = [normalise_max(one(model, images, classes).relu()) for one in self.methods]
        size = max((tuple(one.shape[2:]) for one in maps), key=lambda size: size[0] * size[1])
        return fused([resize(one, (size[0], size[1])) for one in maps], self.mean)


def fused(maps: Sequence[Float[Tensor, "b n h w"]], mean: str) -> Float[Tensor, "b n h w"]:
    """Mean of maps that are not negative: `arithmetic`, or `geometric`, the root of their product.

    Their order does not matter, up to rounding.
    """
    if mean == "arithmetic":
        return sum(maps[1:], start=maps[0]) / len(maps)
    product = maps[0]
    for one in maps[1:]:
        product = product * one
    return torch.pow(product, 1 / len(maps))
