"""What methods need of a model, and what a model offers."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

from wsss.models.classifier import LinearHead, SplitClassifier
from wsss.models.reactivated import ReactivatedHead


class Need(StrEnum):
    """A property of a model that not every model has; those that fewer networks have come later.

    Where several are missing, the remedy of the last has the others as well.
    """

    LINEAR_HEAD = "linear head"
    INNER_LAYERS = "inner layers"
    GRAPH = "graph"
    ATTENTION = "attention"
    TOKENS = "tokens"
    SECOND_CLASSIFIER = "second classifier"
    PAIR_HEADS = "pair heads"

    @property
    def words(self) -> "Words":
        """What is said where it is missing."""
        return _WORDS[self]


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of a need, and of the models that have it in the words of each command."""

    meaning: str
    """What is needed, as the end of "expected …"."""
    run: str
    """Settings of `wsss run` that have it, as imperative sentences."""
    explain: str
    """Options of `wsss explain` that have it, as imperative sentences."""


_WORDS = {
    Need.LINEAR_HEAD: Words(
        "global average pooling and one linear layer, whose weights are the map's",
        run="Use a classifier of `wsss run`, such as one of `backbone=efficientnet_lite0`; "
        "`cam=gradcam` works on any head.",
        explain="Use a network with a linear head, such as `--model timm:resnet50`; "
        "`--method gradcam` works on any head.",
    ),
    Need.INNER_LAYERS: Words(
        "a network whose inner feature maps can be looked at",
        run="Use a convolutional network, such as `backbone=efficientnet_lite0` or "
        "`backbone=resnet50`.",
        explain="Use a convolutional network, such as `--model timm:resnet50`.",
    ),
    Need.GRAPH: Words(
        "a vision GNN, whose blocks build graphs of the image's patches",
        run="Use `backbone=vig_tiny` or `backbone=pvig_tiny`; `cam=gradcam` works on any network.",
        explain="Use `--model wsss:vig_tiny` or `--model wsss:pvig_tiny` with `--weights FILE`, "
        "the checkpoint that huawei-noah/Efficient-AI-Backbones releases; `--method gradcam` works "
        "on any network.",
    ),
    Need.ATTENTION: Words(
        "a vision transformer, whose layers pay attention between the image's patches",
        run="Use `backbone=deit_small`, or put an attention network beside this one: "
        "`cam.attention_network=…`, as configs/cam/ad_cam.yaml does.",
        explain="Use `--checkpoint` of a classifier of `wsss run backbone=deit_small`, or leave "
        "the method the attention network that it brings along.",
    ),
    Need.TOKENS: Words(
        "a vision transformer, whose last layer can be run on tokens that are masked",
        run="Use `backbone=deit_small`; `cam=recipro_cam` masks the features of any network.",
        explain="Use `--checkpoint` of a classifier of `wsss run backbone=deit_small`; "
        "`--method recipro_cam` masks the features of any network.",
    ),
    Need.SECOND_CLASSIFIER: Words(
        "a classifier with a second one beside it, trained on the maps of the first",
        run="Run with `cam=recam`, which trains it in the stage `reactivate`.",
        explain="Train one by `wsss run cam=recam`, and use `--checkpoint runs/reactivate/…`.",
    ),
    Need.PAIR_HEADS: Words(
        "classifiers of every class against its representative opponents",
        run="Run with `cam=meng`, which trains them in the stage `oppose`.",
        explain="Train some by `wsss run cam=meng`, and use `--checkpoint runs/oppose/…`.",
    ),
}


def all_of(missing: Collection[Need]) -> Words:
    """What is said where several needs are missing: all meanings, and what has them all."""
    ordered = [need for need in Need if need in missing]
    meaning = ", and ".join(need.words.meaning for need in ordered)
    return replace(ordered[-1].words, meaning=meaning)


def offers(model: SplitClassifier) -> frozenset[Need]:
    """What of all this a model has."""
    found = {
        Need.LINEAR_HEAD: isinstance(model.head, LinearHead),
        Need.INNER_LAYERS: bool(model.inner_layers),
        Need.GRAPH: hasattr(model.features, "forward_with_graph"),
        Need.ATTENTION: hasattr(model.features, "forward_with_attention"),
        Need.TOKENS: getattr(model.features, "has_divisible_end", False),
        Need.SECOND_CLASSIFIER: isinstance(model.head, ReactivatedHead),
        Need.PAIR_HEADS: model.pair_heads is not None,
    }
    return frozenset(need for need, has in found.items() if has)
