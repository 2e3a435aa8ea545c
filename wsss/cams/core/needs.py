"""Properties that methods need of a model."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import TYPE_CHECKING

from wsss.errors import UnsupportedError

if TYPE_CHECKING:
    from wsss.models.classifier import SplitClassifier


class Need(StrEnum):
    """A property that not every model has, common ones first."""

    LINEAR_HEAD = "linear head"
    INNER_LAYERS = "inner layers"
    GRAPH = "graph"
    ATTENTION = "attention"
    CLASS_TOKEN = "class token"
    TOKENS = "tokens"
    SECOND_CLASSIFIER = "second classifier"
    PAIR_HEADS = "pair heads"
    TEXT_HEAD = "text head"

    @property
    def meaning(self) -> str:
        """What is needed, as the end of "expected …"."""
        return _MEANINGS[self]


_MEANINGS = {
    Need.LINEAR_HEAD: "global average pooling and one linear layer, whose weights are the map's",
    Need.INNER_LAYERS: "a network whose inner feature maps can be looked at",
    Need.GRAPH: "a vision GNN, whose blocks build graphs of the image's patches",
    Need.ATTENTION: "a vision transformer, whose layers pay attention between the image's patches",
    Need.CLASS_TOKEN: "a vision transformer with a class token, whose attention the map is "
    "multiplied by",
    Need.TOKENS: "a vision transformer, whose last layer can be run on tokens that are masked",
    Need.SECOND_CLASSIFIER: "a classifier with a second one beside it, trained on the maps of the "
    "first",
    Need.PAIR_HEADS: "classifiers of every class against its representative opponents",
    Need.TEXT_HEAD: "a classifier whose classes are texts, beside those of backgrounds",
}


def meanings(needs: Collection[Need]) -> str:
    """What is needed, as the end of "expected …", common needs first."""
    return ", and ".join(need.meaning for need in Need if need in needs)


def lacking(method: str, model: str, missing: Collection[Need]) -> UnsupportedError:
    """The error of a method that a model lacks something for.

    Args:
        method: its name, as the user knows it.
        model: such as "this ResNet".
        missing: what the model lacks.
    """
    return UnsupportedError(
        method,
        f"this method cannot explain {model}",
        meanings(missing),
        "Use a model that has this, or a method that works on any network, such as `gradcam`.",
        missing,
    )


def offers(model: SplitClassifier) -> frozenset[Need]:
    """The needs that a model meets."""
    # Settings know the needs without torch.
    from wsss.models.classifier import LinearHead
    from wsss.models.recam_head import ReactivatedHead
    from wsss.models.text_head import TextHead

    found = {
        Need.LINEAR_HEAD: isinstance(model.head, LinearHead),
        Need.INNER_LAYERS: bool(model.inner_layers),
        Need.GRAPH: hasattr(model.features, "forward_with_graph"),
        Need.ATTENTION: getattr(model.features, "has_attention", False),
        Need.CLASS_TOKEN: getattr(model.features, "has_class_token", False),
        Need.TOKENS: getattr(model.features, "has_divisible_end", False),
        Need.SECOND_CLASSIFIER: isinstance(model.head, ReactivatedHead),
        Need.PAIR_HEADS: model.pair_heads is not None,
        Need.TEXT_HEAD: isinstance(model.head, TextHead),
    }
    return frozenset(need for need, has in found.items() if has)
