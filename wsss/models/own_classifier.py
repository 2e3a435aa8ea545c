"""A classifier of the user's own: a network of timm and a file with its weights and its head's."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import timm
import torch
from torch import Tensor, nn

from wsss.argument_checks import check_choice
from wsss.errors import InvalidOptionError
from wsss.models.backbones import TimmBackbone
from wsss.models.classifier import LinearHead, SplitClassifier
from wsss.models.normalisation import Normalisation
from wsss.models.weights import load_state_dict, load_trunk, refused_weights
from wsss.wording import name_some, nearest, plural

RGB, BGR = "rgb", "bgr"
LIBRARY = "timm:"
_WRAPPERS = ("module.", "model.", "network.", "net.", "backbone.")
"""What training loops put before every name."""
_PROBE_PX = 96


def own_classifier(
    model: str,
    weights: str,
    outputs: Sequence[int] | None = None,
    output_stride: int = 16,
    channels: str = RGB,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> SplitClassifier:
    """A multi-label classifier of a file's weights; evaluation mode, no gradients.

    The head is the one linear layer that the file has besides the network, whatever its name. At
    the network's own stride the logits are those that timm computes, which is tested on noise; at a
    smaller `output_stride` the last stages are dilated, as those of this package's backbones.

    Args:
        model: `timm:NAME`.
        weights: a .safetensors or .pth file with the state dict of the whole classifier.
        outputs: outputs of the head that are kept, in this order; None for all.
        output_stride: image pixels per feature: 8, 16, or 32 for a network that cannot be dilated.
        channels: `rgb`, or `bgr` for a network that was trained on images read by OpenCV; the first
            convolution is turned round.
        mean: of the training images' channels, in [0, 1] and the order of `channels`; None for
            timm's of this network.
        std: their standard deviation, likewise.

    Raises:
        InvalidOptionError: there is no such network, its logits are no linear layer on the average
            of its last feature map, or the file is missing or of another network.
    """
    check_choice((RGB, BGR), channels=channels)
    name = _timm_name(model)
    state = _unwrapped(load_state_dict(name, weights), {*_network(name, 0).state_dict()})
    head = _head(name, state, weights)
    _check_logits(model, state, head, weights)
    trunk = TimmBackbone(name, None, output_stride)
    load_trunk(trunk.network, state, weights)
    own = [one.flatten().tolist() for one in (trunk.normalise.mean, trunk.normalise.std)]
    statistics = [
        values if given is None else _three(option, given)
        for option, given, values in (("mean", mean, own[0]), ("std", std, own[1]))
    ]
    if channels == BGR:
        _turn_round(trunk.network)
        statistics = [
            values if given is None else values[::-1]
            for given, values in zip((mean, std), statistics, strict=True)
        ]
    trunk.normalise = Normalisation(*statistics)
    classifier = SplitClassifier(trunk, kept_outputs(head, outputs))
    return classifier.eval().requires_grad_(False)


def kept_outputs(head: LinearHead, outputs: Sequence[int] | None) -> LinearHead:
    """A linear head with some of the outputs of another, in their order; None for all."""
    if outputs is None:
        return head
    layer, rows = head.linear, list(outputs)
    kept = nn.Linear(layer.in_features, len(rows), layer.bias is not None)
    kept.weight.data = layer.weight.detach()[rows].clone()
    if layer.bias is not None:
        kept.bias.data = layer.bias.detach()[rows].clone()
    return LinearHead.sharing(kept)


def _timm_name(model: str) -> str:
    name = model.removeprefix(LIBRARY)
    if not model.startswith(LIBRARY) or not timm.is_model(name):
        known = [f"{LIBRARY}{one}" for one in timm.list_models()]
        raise InvalidOptionError(
            "model", model, nearest(f"{LIBRARY}{name}", known), "it names no network of timm",
            f"Write `{LIBRARY}NAME`; `timm.list_models()` has them all.",
        )  # fmt: skip
    return name.partition(".")[0]  # timm names the training behind a dot.


def _network(name: str, num_classes: int) -> nn.Module:
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=num_classes)
    return network


def _unwrapped(state: Mapping[str, Tensor], known: set[str]) -> dict[str, Tensor]:
    """The state dict without what a training loop put before all names."""
    found = dict(state)
    while not known & {*found}:
        first = [one for one in _WRAPPERS if any(key.startswith(one) for key in found)]
        if not first:
            break
        found = {
            key.removeprefix(first[0]): one
            for key, one in found.items()
            if key.startswith(first[0]) or "." not in key
        }
    return found


def _head(name: str, state: Mapping[str, Tensor], weights: str) -> LinearHead:
    """The linear layer of a file that is no part of the network without its head."""
    network = _network(name, 0)
    load_trunk(network, state, weights)
    more = {key: one for key, one in state.items() if key not in network.state_dict()}
    heads = [
        key.removesuffix(".weight")
        for key, one in more.items()
        if key.endswith(".weight") and one.ndim > 1
    ]
    own = {f"{head}.{part}" for head in heads for part in ("weight", "bias")}
    if len(heads) != 1 or {*more} - own:
        raise refused_weights(
            weights,
            f"besides the network the file has {name_some([*more]) or 'nothing'}",
            f"one linear head [classes, {network.num_features}], such as `fc.weight` and `fc.bias`",
            f"Save the state dict of a whole `timm.create_model('{name}', num_classes=…)`.",
        )
    weight, bias = state[f"{heads[0]}.weight"].flatten(1), state.get(f"{heads[0]}.bias")
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None)
    layer.weight.data = weight.float()
    if bias is not None:
        layer.bias.data = bias.float()
    return LinearHead.sharing(layer)


@torch.no_grad()
def _check_logits(model: str, state: Mapping[str, Tensor], head: LinearHead, weights: str) -> None:
    """Refuse a network whose logits are more than a linear layer on averaged features."""
    whole = _network(model.removeprefix(LIBRARY).partition(".")[0], head.num_classes).eval()
    trunk_only = {key: one for key, one in whole.state_dict().items() if key in state}
    load_trunk(whole, {**whole.state_dict(), **{k: state[k] for k in trunk_only}}, weights)
    layer = whole.get_classifier()  # type: ignore[operator]
    fits = isinstance(layer, nn.Linear | nn.Conv2d)
    same = False
    if fits and layer.weight.flatten(1).shape == head.weight.shape:
        layer.weight.copy_(head.weight.reshape(layer.weight.shape))
        if layer.bias is not None:
            layer.bias.copy_(torch.zeros(head.num_classes) if head.bias is None else head.bias)
        noise = torch.rand(2, 3, *_probe_size(whole), generator=torch.Generator().manual_seed(0))
        features = whole.forward_features(noise)  # type: ignore[operator]
        logits = whole(noise)
        same = features.ndim == 4 and features.shape[1] == head.weight.shape[1]
        same = same and torch.allclose(head(features), logits, rtol=1e-3, atol=1e-4)
    if not same:
        raise InvalidOptionError(
            "model", model,
            "a network whose logits are a linear layer on the average of its last feature map",
            "its head is another function, so that it has no class activation maps",
            "Use one such as timm:resnet50, timm:efficientnet_b0 or timm:regnety_016, or give "
            "seeds or masks that were made with yours.",
        )  # fmt: skip


def _probe_size(network: nn.Module) -> tuple[int, int]:
    """Height and width of images that the network takes, small ones if it may."""
    config = cast("dict[str, Any]", network.pretrained_cfg)
    if config.get("fixed_input_size"):
        height, width = config["input_size"][1:]
        return int(height), int(width)
    return _PROBE_PX, _PROBE_PX


def _turn_round(network: nn.Module) -> None:
    """Let the first convolution take RGB instead of BGR."""
    first = network.get_submodule(cast("dict[str, Any]", network.pretrained_cfg)["first_conv"])
    cast("nn.Conv2d", first).weight.data = cast("nn.Conv2d", first).weight.data.flip(1)


def _three(option: str, values: Sequence[float]) -> list[float]:
    if len(values) != 3:
        raise InvalidOptionError(
            option, list(values), "three numbers", f"{plural(len(values), 'number')} for 3 channels"
        )
    return [float(value) for value in values]
