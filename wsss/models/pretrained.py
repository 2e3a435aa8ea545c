"""ImageNet classifiers with their own heads, ready to be explained: timm's, torchvision's, ours."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import timm
import torchvision
from torch import nn
from torchvision.models import GoogLeNet, Inception3

from wsss.errors import InvalidOptionError
from wsss.models.classifier import SplitClassifier
from wsss.models.cut import cut
from wsss.models.normalisation import Normalisation
from wsss.models.vision_gnn import VisionGnnBackbone, VisionGnnHead, load_vision_gnn_classifier
from wsss.models.vision_gnn.backbone import ARCHITECTURES
from wsss.models.weights import HUB_WEIGHTS, downloaded, load_state_dict, load_trunk
from wsss.wording import nearest

OWN = "wsss"
"""Prefix of the networks that are no library's: Vision GNNs, with the released checkpoints."""
IMAGENET_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class Library:
    """How a library makes its classifiers and what it knows of them."""

    names: Callable[[], Sequence[str]]
    """Every classifier it has."""
    make: Callable[[str, bool, int | None], nn.Module]
    """The network of a name, with downloaded weights or not, for a number of classes."""
    inputs: Callable[[str, nn.Module], tuple[Normalisation, int]]
    """The statistics and the side in pixels of the images that its weights were trained on."""


def pretrained_classifier(model: str, weights: str | None) -> SplitClassifier:
    """A single-label classifier in two parts; in evaluation mode, without gradients.

    Its number of classes is that of the weights. Those of libraries are cut behind their last
    feature map; Vision GNNs are made in two, and show their graphs.

    Args:
        model: `timm:NAME`, `torchvision:NAME`, or `wsss:NAME` of a Vision GNN, such as `vig_tiny`.
        weights: `package`, `hub`, a .safetensors or .pth file under the names of the library or of
            the released checkpoints, or None for random weights.

    Raises:
        WsssError: there is no such network, no such weights, or it cannot be cut.
    """
    prefix, _, name = model.partition(":")
    if prefix == OWN and name:
        return _vision_gnn(name, weights).eval().requires_grad_(False)
    if prefix not in LIBRARIES or not name:
        examples = [*(f"{library}:resnet50" for library in LIBRARIES), f"{OWN}:vig_tiny"]
        raise InvalidOptionError(
            "model", model, nearest(model, examples),
            "a model is named by its library and its name there",
            "Write both: `timm:resnet50`.",
        )  # fmt: skip
    library = LIBRARIES[prefix]
    architecture = name.partition(".")[0]  # timm names the training behind a dot.
    if architecture not in (known := library.names()):
        raise _no_model(model, known, f"Correct the name; {prefix}'s `list_models()` has them all.")
    network = _network(library, name, architecture, weights)
    return cut(network, model, *library.inputs(name, network))


def _vision_gnn(name: str, weights: str | None) -> SplitClassifier:
    """A Vision GNN with the published head."""
    if name not in ARCHITECTURES:
        raise _no_model(f"{OWN}:{name}", [*ARCHITECTURES], "Correct the name.")
    if weights is not None:
        return load_vision_gnn_classifier(name, weights)
    backbone = VisionGnnBackbone(name)
    head = VisionGnnHead(backbone.num_features, IMAGENET_CLASSES)
    return SplitClassifier(backbone, head, multi_label=False)


def _no_model(model: str, known: Sequence[str], remedy: str) -> InvalidOptionError:
    """The answer to a name that a library does not have."""
    prefix, _, name = model.partition(":")
    reason = f"there is no {prefix} model `{name}`"
    return InvalidOptionError("model", model, nearest(name, known), reason, remedy)


def _network(library: Library, name: str, architecture: str, weights: str | None) -> nn.Module:
    """The network of a name with its weights."""
    if weights is None:
        return library.make(name, False, None)
    if weights == HUB_WEIGHTS:
        return downloaded(name, lambda: library.make(name, True, None))
    state = load_state_dict(architecture, weights)
    network = library.make(name, False, None)
    # The last parameter is the classifier's bias, one number a class.
    last, own = list(network.named_parameters())[-1]
    if last in state and len(state[last]) != len(own):
        network = library.make(name, False, len(state[last]))
    load_trunk(network, state, weights)
    if isinstance(network, GoogLeNet | Inception3):
        network.transform_input = True  # torchvision's files of these two come from TensorFlow.
    return network


def _make_timm(name: str, download: bool, num_classes: int | None) -> nn.Module:
    classes: dict[str, Any] = {} if num_classes is None else {"num_classes": num_classes}
    return timm.create_model(name, pretrained=download, **classes)


def _timm_inputs(_name: str, network: nn.Module) -> tuple[Normalisation, int]:
    side_px: int = network.pretrained_cfg["input_size"][-1]  # type: ignore[index, assignment]
    return Normalisation.of(network), side_px


def _torchvision_names() -> list[str]:
    return list(torchvision.models.list_models(module=torchvision.models))


def _make_torchvision(name: str, download: bool, num_classes: int | None) -> nn.Module:
    classes: dict[str, Any] = {} if num_classes is None else {"num_classes": num_classes}
    if name in ("googlenet", "inception_v3") and not download:
        classes["init_weights"] = False  # Minutes, for weights that are loaded over at once.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        network: nn.Module = torchvision.models.get_model(
            name, weights="DEFAULT" if download else None, **classes
        )
    return network


def _torchvision_inputs(name: str, _network: nn.Module) -> tuple[Normalisation, int]:
    preprocessing = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    return Normalisation(preprocessing.mean, preprocessing.std), preprocessing.crop_size[0]


LIBRARIES = {
    "timm": Library(timm.list_models, _make_timm, _timm_inputs),
    "torchvision": Library(_torchvision_names, _make_torchvision, _torchvision_inputs),
}
