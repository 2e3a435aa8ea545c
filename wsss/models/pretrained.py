"""Pretrained ImageNet classifiers with their heads: timm's, torchvision's and Vision GNNs."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from wsss.errors import InvalidOptionError
from wsss.models.classifier import SplitClassifier
from wsss.models.hub import HUB_WEIGHTS, make_available, timm_network
from wsss.models.hub_files import AddressFile
from wsss.models.normalisation import Normalisation
from wsss.models.split_by_graph import cut
from wsss.models.vision_gnn import VisionGnnBackbone, VisionGnnHead, load_vision_gnn_classifier
from wsss.models.vision_gnn.backbone import ARCHITECTURES
from wsss.models.weights import load_state_dict, load_trunk
from wsss.wording import nearest

OWN = "wsss"
"""Prefix of the Vision GNNs of this package, with the released checkpoints."""
IMAGENET_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class Library:
    """The classifiers of a library."""

    names: Callable[[], Sequence[str]]
    """Every classifier it has."""
    make: Callable[..., nn.Module]
    """The network of a name, with or without downloaded weights; options: `num_classes`."""
    inputs: Callable[[str, nn.Module], tuple[Normalisation, int]]
    """The statistics and the side in pixels of the images that its weights were trained on."""


def pretrained_classifier(model: str, weights: str | None) -> SplitClassifier:
    """A single-label classifier in two parts; in evaluation mode, without gradients.

    It has the number of classes of the weights. Classifiers of libraries are cut behind their last
    feature map; Vision GNNs are built of two parts and return their graphs.

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
    parts = cut(network, model, *library.inputs(name, network))
    return parts.eval().requires_grad_(False)


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
    """The error for an unknown name."""
    prefix, _, name = model.partition(":")
    reason = f"there is no {prefix} model `{name}`"
    return InvalidOptionError("model", model, nearest(name, known), reason, remedy)


def _network(library: Library, name: str, architecture: str, weights: str | None) -> nn.Module:
    """The network of a name with its weights."""
    if weights is None:
        return library.make(name, False)
    if weights == HUB_WEIGHTS:
        return library.make(name, True)
    state = load_state_dict(architecture, weights)
    network = library.make(name, False)
    # The last parameter is the classifier's bias, one number a class.
    last, own = list(network.named_parameters())[-1]
    if last in state and len(state[last]) != len(own):
        network = library.make(name, False, num_classes=len(state[last]))
    load_trunk(network, state, weights)
    if hasattr(network, "transform_input"):
        # torchvision's files of GoogLeNet and Inception come from TensorFlow.
        network.transform_input = True  # type: ignore[assignment]
    return network


def _timm_names() -> list[str]:
    import timm

    return timm.list_models()


def _make_timm(name: str, download: bool, **options: Any) -> nn.Module:
    import timm

    return timm_network(name, **options) if download else timm.create_model(name, **options)


def _timm_inputs(_name: str, network: nn.Module) -> tuple[Normalisation, int]:
    side_px: int = network.pretrained_cfg["input_size"][-1]  # type: ignore[index, assignment]
    return Normalisation.of(network), side_px


def _torchvision_names() -> list[str]:
    from torchvision import models

    return list(models.list_models(module=models))


def _make_torchvision(name: str, download: bool, **options: Any) -> nn.Module:
    from torchvision.models import get_model, get_model_weights

    if download:
        make_available(name, AddressFile(get_model_weights(name).DEFAULT.url))
    if name in ("googlenet", "inception_v3") and not download:
        options["init_weights"] = False  # It takes minutes, and the weights are replaced.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        network: nn.Module = get_model(name, weights="DEFAULT" if download else None, **options)
    return network


def _torchvision_inputs(name: str, _network: nn.Module) -> tuple[Normalisation, int]:
    from torchvision.models import get_model_weights

    preprocessing = get_model_weights(name).DEFAULT.transforms()
    return Normalisation(preprocessing.mean, preprocessing.std), preprocessing.crop_size[0]


LIBRARIES = {
    "timm": Library(_timm_names, _make_timm, _timm_inputs),
    "torchvision": Library(_torchvision_names, _make_torchvision, _torchvision_inputs),
}
