"""The classifier that is explained, and how it looks at images."""

from dataclasses import dataclass

from wsss.data.pyramids import Scales, Size
from wsss.errors import user_error
from wsss.explain.request import Request
from wsss.models.classifier import SplitClassifier
from wsss.models.cut import CutBackbone
from wsss.models.finished import load_finished
from wsss.models.imagenet import imagenet_names
from wsss.models.pretrained import pretrained_classifier
from wsss.models.vision_gnn import VisionGnnBackbone

MAX_SIDE_PX = 1024
"""Images with a longer side are reduced to it; factors above 1 enlarge them again."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """A classifier with all that an explanation must know of it."""

    title: str
    """What it is called in tables: `timm:resnet50`, a folder."""
    model: SplitClassifier
    class_names: tuple[str, ...]
    cell_px: int
    """Sides of images are rounded to multiples of this: whole cells of the feature map."""
    short_side_px: int | None = None
    """Shorter side at which images are seen; None is their own."""
    fixed_side_px: int | None = None
    """Side of the squares that all images are squeezed to, where it takes no other size."""

    def sizes(self, size: Size, factors: tuple[float, ...]) -> tuple[Size, ...]:
        """The sizes at which an image of `size` (height, width) is seen, one for each factor."""
        if self.fixed_side_px is not None:
            return ((self.fixed_side_px, self.fixed_side_px),)
        zoom = 1.0 if self.short_side_px is None else self.short_side_px / min(size)
        # A panorama seen at the right height would be too wide.
        zoom = min(zoom, MAX_SIDE_PX / max(size))
        scales = Scales(tuple(zoom * f for f in factors), self.cell_px, max(*size, MAX_SIDE_PX))
        return scales.sizes(size)


def load_classifier(request: Request) -> Classifier:
    """The classifier that is asked for.

    Raises:
        WsssError: there is none, or images of other scales were asked of one that takes a fixed
            size only.
    """
    if request.checkpoint is not None:
        model, names = load_finished(request.checkpoint)
        cell_px = model.features.output_stride
        assert isinstance(cell_px, int)
        return Classifier(str(request.checkpoint), model, names, cell_px, request.size)
    assert request.model is not None
    model = pretrained_classifier(request.model, request.weights)
    backbone = model.features
    assert isinstance(backbone, CutBackbone | VisionGnnBackbone)
    names = imagenet_names(model.num_classes)
    if isinstance(backbone, VisionGnnBackbone) or backbone.takes_any_size:
        side_px = request.size or backbone.side_px
        return Classifier(request.model, model, names, backbone.output_stride, side_px)
    if request.scales != (1.0,) or request.size not in (None, backbone.side_px):
        raise user_error(
            f"size={request.size}" if request.size else f"scales={list(request.scales)}",
            f"{request.model} takes images of one size",
            f"{backbone.side_px} × {backbone.side_px} px",
            "Leave scales and size out, or use a network that takes any size, such as "
            "`model=timm:resnet50`.",
        )
    return Classifier(
        request.model, model, names, backbone.output_stride, fixed_side_px=backbone.side_px
    )
