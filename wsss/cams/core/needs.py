"""What methods need of a model, and what a model offers."""

from collections.abc import Collection
from enum import StrEnum

from wsss.errors import UnsupportedError
from wsss.models.classifier import LinearHead, SplitClassifier
from wsss.models.reactivated import ReactivatedHead
from wsss.models.vision_gnn import VisionGnnBackbone
from wsss.models.vit import VitBackbone


class Need(StrEnum):
    """A property of a model that not every model has; those that fewer networks have come later."""

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
        return _MEANINGS[self]


_MEANINGS = {
    Need.LINEAR_HEAD: "global average pooling and one linear layer, whose weights are the map's",
    Need.INNER_LAYERS: "a network whose inner feature maps can be looked at",
    Need.GRAPH: "a vision GNN, whose blocks build graphs of the image's patches",
    Need.ATTENTION: "a vision transformer, whose layers pay attention between the image's patches",
    Need.TOKENS: "a vision transformer, whose last layer can be run on tokens that are masked",
    Need.SECOND_CLASSIFIER: "a classifier with a second one beside it, trained on the maps of the "
    "first",
    Need.PAIR_HEADS: "classifiers of every class against its representative opponents",
}


def lacking(method: str, model: str, missing: Collection[Need]) -> UnsupportedError:
    """The error that says what a method misses in a model."""
    return UnsupportedError(
        method,
        f"{model} is none that it can explain",
        ", and ".join(need.meaning for need in Need if need in missing),
        "Use a model that has this, or a method that works on any network, such as GradCAM.",
        missing,
    )


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
