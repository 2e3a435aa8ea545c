"""Exported networks: `.safetensors` with a JSON description beside it, which has its digest."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

from safetensors.torch import load_file, save
from torch import Tensor, nn

from wsss import models
from wsss.artifacts import atomic, file_digest, read_json, write_json
from wsss.errors import user_error
from wsss.files import intact
from wsss.models.affinity_heads import AffinityHeads
from wsss.models.backbones import Backbone
from wsss.models.class_pair_heads import PairHeads, PairNetworks
from wsss.models.classifier import LinearHead, SplitClassifier
from wsss.models.last_block import cut_before_last_stage
from wsss.models.normalisation import Normalisation
from wsss.models.segmentation_networks.building import architecture_of
from wsss.models.segmenter import Segmenter
from wsss.models.text_head import TextHead

AFFINITY_HEADS = "affinity_heads"
CLASSIFIER = "classifier"
PAIR_HEADS = "pair_heads"
SEGMENTER = "segmenter"
ORACLE_SEGMENTER = "oracle_segmenter"
"""One that was trained on ground truth, a bound to compare with: nothing predicts with it."""
DIGEST = "weights_blake2b"
"""In a description: the hash of the file of weights; older ones have none."""
_HEAD_OPTIONS = "head_options"
"""In a description: those of a head that is no linear layer."""
_AFFINITY_OPTIONS = ("layers", "channels", "displacement_channels")
_SEGMENTER_OPTIONS = ("architecture", "encoder", "output_stride")
"""Those of every architecture, which has others of its own."""


def save_classifier(folder: Path, model: SplitClassifier, class_names: tuple[str, ...]) -> None:
    """Write `classifier.safetensors` and `classifier.json`."""
    _save(folder, CLASSIFIER, model, _described(model, class_names))


def load_classifier(folder: Path) -> tuple[SplitClassifier, tuple[str, ...]]:
    """Read a classifier and its class names; evaluation mode, no gradients.

    Raises:
        WsssError: there is no classifier in the folder.
        DamagedFileError: its weights are not as they were written.
    """
    description = _describe(folder, CLASSIFIER)
    names = tuple(description["class_names"])
    model = _classifier(description)
    with _weights(folder, CLASSIFIER, description) as state:
        model.load_state_dict(state)
    return model.eval().requires_grad_(False), names


def save_pair_heads(folder: Path, heads: PairHeads, class_names: tuple[str, ...]) -> None:
    """Write `pair_heads.safetensors` and `pair_heads.json`, which lists each class's opponents."""
    opponents: dict[str, list[str]] = {name: [] for name in class_names}
    for target, opponent in zip(heads.targets.tolist(), heads.opponents.tolist(), strict=True):
        opponents[class_names[target]].append(class_names[opponent])
    description: dict[str, Any] = {"opponents": opponents, "class_names": class_names}
    if isinstance(heads, PairNetworks):
        description["last_stages"] = len(heads.stages)
    _save(folder, PAIR_HEADS, heads, description)


def load_pair_heads(folder: Path, backbone: Backbone) -> PairHeads:
    """Read the heads of pairs of classes, and their last stages; evaluation mode, no gradients.

    Args:
        folder: where they were saved.
        backbone: of the classifier; its last stage is the architecture of theirs.

    Raises:
        WsssError: there are none in the folder.
        DamagedFileError: their weights are not as they were written.
    """
    description = _describe(folder, PAIR_HEADS)
    with _weights(folder, PAIR_HEADS, description) as state:
        sizes = (len(description["class_names"]), state["weight"].shape[2])
        pairs = (state["targets"], state["opponents"])
        if "last_stages" in description:
            _, stage = cut_before_last_stage(backbone)
            heads: PairHeads = PairNetworks(*pairs, *sizes, stage)
        else:
            heads = PairHeads(*pairs, *sizes)
        heads.load_state_dict(state)
    return heads.eval().requires_grad_(False)


def save_affinity_heads(folder: Path, heads: AffinityHeads) -> None:
    """Write `affinity_heads.safetensors` and `affinity_heads.json`, which names their layers."""
    description = {name: getattr(heads, name) for name in _AFFINITY_OPTIONS}
    _save(folder, AFFINITY_HEADS, heads, description)


def load_affinity_heads(folder: Path) -> AffinityHeads:
    """Read the heads of pixel relations; evaluation mode, no gradients.

    Raises:
        WsssError: there are none in the folder.
        DamagedFileError: their weights are not as they were written.
    """
    description = _describe(folder, AFFINITY_HEADS)
    heads = AffinityHeads(**{name: description[name] for name in _AFFINITY_OPTIONS})
    with _weights(folder, AFFINITY_HEADS, description) as state:
        heads.load_state_dict(state)
    return heads.eval().requires_grad_(False)


def save_segmenter(
    folder: Path, model: Segmenter, class_names: tuple[str, ...], name: str = SEGMENTER
) -> None:
    """Write `segmenter.safetensors` and `segmenter.json`, or files of another name.

    Both hold the classifier as well whose evidence it takes.
    """
    description = model.described
    if model.classifier is not None:
        description["classifier_weight"] = model.classifier_weight
        description["classifier"] = _described(model.classifier, class_names)
    _save(folder, name, model, description | _input(model.normalise, class_names))


def load_segmenter(folder: Path, name: str = SEGMENTER) -> tuple[Segmenter, tuple[str, ...]]:
    """Read a segmenter and its class names; evaluation mode, no gradients.

    Args:
        folder: where it was saved.
        name: of its files; `ORACLE_SEGMENTER` is read by whoever asks for it only.

    Raises:
        WsssError: there is no segmenter in the folder, or only one that was trained on ground
            truth.
        DamagedFileError: its weights are not as they were written.
    """
    if name == SEGMENTER:
        refuse_oracle(folder)
    description = _describe(folder, name)
    names = tuple(description["class_names"])
    own = architecture_of(description["architecture"]).options
    options = {key: one for key, one in description.items() if key in (*_SEGMENTER_OPTIONS, *own)}
    model = Segmenter(weights=None, num_classes=len(names), **options)
    if "classifier" in description:
        classifier = _classifier(description["classifier"])
        model.take_evidence(classifier, description["classifier_weight"])
    with _weights(folder, name, description) as state:
        model.load_state_dict(state)
    return model.eval().requires_grad_(False), names


def refuse_oracle(folder: Path) -> None:
    """Refuse a segmenter that was trained on ground truth, which could be taken for another.

    Raises:
        WsssError: there is one in the folder.
    """
    if (folder / f"{ORACLE_SEGMENTER}.json").is_file():
        raise user_error(
            folder,
            "a segmenter that was trained on ground truth (oracle), a bound to compare with",
            "one that weak labels have trained",
            "Name the folder of a finished `segment` stage, such as runs/segment/…. What the bound "
            "predicts on validation images is in `predictions` of its own folder.",
        )


def _described(model: SplitClassifier, class_names: tuple[str, ...]) -> dict[str, Any]:
    """Description of a classifier, from which `_classifier` makes its like."""
    backbone, head = cast("Backbone", model.features), model.head
    bias = getattr(head, "bias", None) is not None
    return {
        "backbone": {
            "class": type(backbone).__name__,
            "name": backbone.name,
            "output_stride": backbone.output_stride,
            **backbone.options,
        },
        "head": type(head).__name__,
        **({_HEAD_OPTIONS: head.options} if isinstance(head, TextHead) else {"bias": bias}),
        **_input(backbone.normalise, class_names),
    }


def _classifier(description: dict[str, Any]) -> SplitClassifier:
    """The network that a description names, without weights."""
    backbone = _backbone(description["backbone"])
    make_head = getattr(models, description.get("head", LinearHead.__name__))
    backbone.normalise = Normalisation(description["mean"], description["std"])  # Perhaps a user's.
    options = description.get(_HEAD_OPTIONS) or {"bias": description["bias"]}
    head = make_head(backbone.num_features, len(description["class_names"]), **options)
    return SplitClassifier(backbone, head)


def _backbone(description: dict[str, Any]) -> Backbone:
    """The network a description names: a class of `wsss.models`, without weights."""
    options = dict(description)
    make = getattr(models, options.pop("class"))
    assert issubclass(make, Backbone)
    return cast("Backbone", make(weights=None, **options))


def _input(normalise: Normalisation, class_names: tuple[str, ...]) -> dict[str, Any]:
    """Description of a network's input and classes."""
    return {
        "class_names": class_names,
        "input": "RGB in [0, 1]; the network subtracts the mean and divides by std itself",
        "mean": normalise.mean.flatten().tolist(),
        "std": normalise.std.flatten().tolist(),
    }


def _save(folder: Path, name: str, model: nn.Module, description: dict[str, Any]) -> None:
    state = {key: tensor.contiguous() for key, tensor in model.state_dict().items()}
    path = folder / f"{name}.safetensors"
    with atomic(path) as temporary:
        temporary.write_bytes(save(state))  # `save_file` restricts read permissions.
    write_json(path.with_suffix(".json"), description | {DIGEST: file_digest(path)})


@contextmanager
def _weights(folder: Path, name: str, description: dict[str, Any]) -> Iterator[dict[str, Tensor]]:
    """Yield the tensors of a file, to be read into a network.

    Raises:
        DamagedFileError: the file is not as it was written; in the block, its tensors do not fit,
            unless the digest tells that they are those that were written.
    """
    path = folder / f"{name}.safetensors"
    written = description.get(DIGEST)
    with intact(path):
        if written is not None and file_digest(path) != written:
            raise ValueError(f"other bytes than those that {name}.json has the digest of")
        state = load_file(path)
    with intact(path) if written is None else nullcontext():
        yield state


def _describe(folder: Path, name: str) -> dict[str, Any]:
    path = folder / f"{name}.json"
    if not path.is_file() or not path.with_suffix(".safetensors").is_file():
        raise user_error(
            folder,
            f"no exported {name} here",
            f"`{name}.json` and `{name}.safetensors`",
            "Point to the folder of a finished stage, or run the stage first.",
        )
    description: dict[str, Any] = read_json(path)
    return description
