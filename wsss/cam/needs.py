"""What methods need of a model, and what a model offers."""

from enum import StrEnum

from wsss.models.classifier import LinearHead, SplitClassifier
from wsss.models.reactivated import ReactivatedHead
from wsss.models.vision_gnn import VisionGnnBackbone
from wsss.models.vit import VitBackbone


class Need(StrEnum):
    """A property of a model that not every model has."""

    LINEAR_HEAD = "linear head"
    INNER_LAYERS = "inner layers"
    GRAPH = "graph"
    ATTENTION = "attention"
    TOKENS = "tokens"
    SECOND_CLASSIFIER = "second classifier"
    PAIR_HEADS = "pair heads"

    @property
    def meaning(self) -> str:
        """What is needed, as the end of "expected …"."""
        return _WORDS[self][0]

    @property
    def remedy(self) -> str:
        """A model that has it, as an imperative sentence."""
        return _WORDS[self][1]


_WORDS = {
    Need.LINEAR_HEAD: (
        "global average pooling and one linear layer, whose weights are the map's",
        "Use a network with a linear head, such as `backbone=efficientnet_lite0` or "
        "`timm:resnet50`; the method gradcam works on any head.",
    ),
    Need.INNER_LAYERS: (
        "a network whose inner feature maps can be looked at",
        "Use a convolutional backbone, such as `backbone=efficientnet_lite0` or resnet50.",
    ),
    Need.GRAPH: (
        "a vision GNN, whose blocks build graphs of the image's patches",
        "Use `backbone=vig_tiny` or `backbone=pvig_tiny`; the method gradcam works on any network.",
    ),
    Need.ATTENTION: (
        "a vision transformer, whose layers pay attention between the image's patches",
        "Use `backbone=deit_small`, or put an attention network beside this one: "
        "`cam.attention_network=…`, as configs/cam/ad_cam.yaml does.",
    ),
    Need.TOKENS: (
        "a vision transformer, whose last layer can be run on tokens that are masked",
        "Use `backbone=deit_small`; the method recipro_cam masks the features of any network.",
    ),
    Need.SECOND_CLASSIFIER: (
        "a classifier with a second one beside it, trained on the maps of the first",
        "Run with `cam=recam`, which trains it in the stage `reactivate`; "
        "`wsss explain` takes `--checkpoint runs/reactivate/…`.",
    ),
    Need.PAIR_HEADS: (
        "classifiers of every class against its representative opponents",
        "Run with `cam=meng`, which trains them in the stage `oppose`; "
        "`wsss explain` takes `--checkpoint runs/oppose/…`.",
    ),
}


def offers(model: SplitClassifier) -> frozenset[Need]:
    """What of all this a model has."""
    found = {
        Need.LINEAR_HEAD: isinstance(model.head, LinearHead),
        Need.INNER_LAYERS: bool(model.inner_layers),
        Need.GRAPH: isinstance(model.features, VisionGnnBackbone),
        Need.ATTENTION: isinstance(model.features, VitBackbone),
        Need.TOKENS: (isinstance(model.features, VitBackbone) and model.features.has_divisible_end),
        Need.SECOND_CLASSIFIER: isinstance(model.head, ReactivatedHead),
        Need.PAIR_HEADS: model.pair_heads is not None,
    }
    return frozenset(need for need, has in found.items() if has)
