"""What methods need of a model, and what a model offers."""

from enum import StrEnum

from wsss.models.classifier import LinearHead, SplitClassifier


class Need(StrEnum):
    """A property of a model that not every model has."""

    LINEAR_HEAD = "linear head"
    INNER_LAYERS = "inner layers"

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
        "`timm:resnet50`; cam=gradcam works on any head.",
    ),
    Need.INNER_LAYERS: (
        "a network whose inner feature maps can be looked at",
        "Use a convolutional backbone, such as `backbone=efficientnet_lite0` or resnet50.",
    ),
}


def offers(model: SplitClassifier) -> frozenset[Need]:
    """What of all this a model has."""
    found = {
        Need.LINEAR_HEAD: isinstance(model.head, LinearHead),
        Need.INNER_LAYERS: bool(model.inner_layers),
    }
    return frozenset(need for need, has in found.items() if has)
