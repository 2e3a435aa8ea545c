"""Backbones, the split classifier and segmenters; each is imported when it is first asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsss.models.affinity_heads import AffinityHeads as AffinityHeads
    from wsss.models.backbones import Backbone as Backbone
    from wsss.models.backbones import TimmBackbone as TimmBackbone
    from wsss.models.class_pair_heads import PairHeads as PairHeads
    from wsss.models.class_pair_heads import PairNetworks as PairNetworks
    from wsss.models.classifier import LinearHead as LinearHead
    from wsss.models.classifier import SplitClassifier as SplitClassifier
    from wsss.models.joined_backbones import JoinedBackbones as JoinedBackbones
    from wsss.models.pixel_probe import PixelProbe as PixelProbe
    from wsss.models.recam_head import ReactivatedHead as ReactivatedHead
    from wsss.models.segmenter import Segmenter as Segmenter
    from wsss.models.text_head import TextHead as TextHead
    from wsss.models.vision_gnn import VisionGnnBackbone as VisionGnnBackbone
    from wsss.models.vision_gnn import VisionGnnHead as VisionGnnHead
    from wsss.models.vit import VitBackbone as VitBackbone

_MODULES = {
    "AffinityHeads": "affinity_heads",
    "Backbone": "backbones",
    "TimmBackbone": "backbones",
    "LinearHead": "classifier",
    "SplitClassifier": "classifier",
    "PairHeads": "class_pair_heads",
    "PairNetworks": "class_pair_heads",
    "JoinedBackbones": "joined_backbones",
    "PixelProbe": "pixel_probe",
    "ReactivatedHead": "recam_head",
    "Segmenter": "segmenter",
    "TextHead": "text_head",
    "VisionGnnBackbone": "vision_gnn",
    "VisionGnnHead": "vision_gnn",
    "VitBackbone": "vit",
}
"""Where each class is: settings and saved networks name them as `wsss.models.Segmenter`."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
