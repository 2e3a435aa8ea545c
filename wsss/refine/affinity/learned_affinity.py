"""Affinity from learned class boundaries (IRN)."""

from jaxtyping import Float
from torch import Tensor

from wsss.argument_checks import check_whole
from wsss.errors import UnsupportedError
from wsss.models import SplitClassifier
from wsss.refine.affinity.boundaries import boundary_affinity
from wsss.refine.affinity.pixel_pair_affinity import (
    PairAffinity,
    PixelRelations,
    grid_of,
    inner_maps,
)


class LearnedAffinity(PairAffinity):
    """`1 - max` of the boundary map between two pixels (Ahn, Cho and Kwak, CVPR 2019).

    The boundary map comes from the heads of the stage `affinity`; logits are averaged with the
    mirror image's, as by the authors.
    """

    def __init__(self, radius: int = 5, flip: bool = True) -> None:
        """Set the neighbourhood.

        Args:
            radius: pairs nearer than this, in pixels of the map.
            flip: average the logits with the mirror image's.

        Raises:
            WsssError: the radius is below 2.
        """
        check_whole(2, radius=radius)
        self.radius = radius
        self.flip = flip

    def check(self, model: SplitClassifier) -> None:
        """Refuse a model without heads.

        Raises:
            WsssError: there are none.
        """
        if model.affinity_heads is None:
            raise UnsupportedError(
                "LearnedAffinity",
                "a classifier that has learned no class boundaries",
                "one with the heads that the stage `affinity` trains",
                "Train them, or use FeatureAffinity, which needs none.",
                {"boundary heads"},
            )

    def __call__(self, model: SplitClassifier, images: Float[Tensor, "b 3 H W"]) -> PixelRelations:
        """Affinities along straight lines, and the boundaries they come from."""
        logits = boundary_logits(model, images)
        if self.flip:
            mirrored = boundary_logits(model, images.flip(-1)).flip(-1)
            logits = (logits + mirrored) / 2
        boundary = logits.sigmoid()
        return PixelRelations(boundary_affinity(boundary, self.radius), boundary)


def boundary_logits(
    model: SplitClassifier, images: Float[Tensor, "b 3 H W"]
) -> Float[Tensor, "b h w"]:
    """Logits of class boundaries at a quarter of the images' size."""
    heads = model.affinity_heads
    assert heads is not None
    layers = [model.inner_layers[name] for name in heads.layers]
    maps = inner_maps(model.features, layers, images)
    return heads.boundary(maps, grid_of(images))  # type: ignore[no-any-return]
