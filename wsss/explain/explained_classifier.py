"""The explained classifier and its input sizes."""

from dataclasses import dataclass

from wsss.data.pyramids import Scales, Size
from wsss.errors import user_error
from wsss.explain.request import Request
from wsss.models.classifier import SplitClassifier
from wsss.models.imagenet import imagenet_names
from wsss.models.pretrained import pretrained_classifier
from wsss.models.saved_classifier import load_finished
from wsss.models.split_by_graph import CutBackbone
from wsss.models.vision_gnn import VisionGnnBackbone

MAX_SIDE_PX = 1024
"""Longer sides are reduced to it; scales above 1 enlarge them again."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """A classifier with its class names and input sizes."""

    title: str
    """Name in tables: `timm:resnet50`, a folder."""
    model: SplitClassifier
    class_names: tuple[str, ...]
    cell_px: int
    """Stride of the feature map; input sides are rounded to its multiples."""
    short_side_px: int | None = None
    """Shorter side of the input; None keeps the image's."""
    fixed_side_px: int | None = None
    """Side of the square input of a network of fixed size."""

    def sizes(self, size: Size, factors: tuple[float, ...]) -> tuple[Size, ...]:
        """Input sizes (height, width) of an image of `size`, one for each scale."""
        if self.fixed_side_px is not None:
            return ((self.fixed_side_px, self.fixed_side_px),)
        zoom = 1.0 if self.short_side_px is None else self.short_side_px / min(size)
        # Bounds the longer side of panoramas.
        zoom = min(zoom, MAX_SIDE_PX / max(size))
        scales = Scales(tuple(zoom * f for f in factors), self.cell_px, max(*size, MAX_SIDE_PX))
        return scales.sizes(size)


def load_classifier(request: Request) -> Classifier:
    """The classifier of a request.

    Raises:
        WsssError: there is none, or it has a fixed input size and the request another.
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
