"""ImageNet weights from a package, a file or a hub, under timm's parameter names."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import redirect_stdout
from importlib import import_module
from inspect import signature
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from wsss.errors import InvalidOptionError
from wsss.models.efficientnet_lite import VARIANTS, is_of_package, names_to_timm
from wsss.models.hub import HUB_WEIGHTS, timm_network

# `wsss check` looks for weight files without importing torch.
if TYPE_CHECKING:
    from torch import Tensor, nn

PACKAGE_WEIGHTS = "package"
"""Weights that ship inside an installed Python package: no network needed."""


def weights_file(name: str, weights: str) -> Path:
    """The file behind `weights`: the package's own, or a path given by the user.

    Args:
        name: of the network.
        weights: `package` or a path.

    Raises:
        InvalidOptionError: there is no such file, or no package carries weights of the network.
    """
    if weights == PACKAGE_WEIGHTS:
        if name not in VARIANTS:
            raise refused_weights(
                weights,
                f"no installed package carries weights of `{name}`",
                f"`{'`, `'.join(VARIANTS)}`, a file or `{HUB_WEIGHTS}`",
                f"Name a .safetensors or .pth file, or `{HUB_WEIGHTS}`.",
            )
        return VARIANTS[name].path
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
    return names_to_timm(state) if is_of_package(state) else state


def in_timms_layout(network: nn.Module, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Parameters under timm's names, by timm's own conversion from its authors' where they differ.

    Learned positions of another image size are resized by it as well. What timm does not know
    comes back as it is.

    Args:
        network: of timm.
        state: parameters by name, of a whole checkpoint: CLIP's may have its text tower.
    """
    own = network.state_dict()
    convert = getattr(import_module(type(network).__module__), "checkpoint_filter_fn", None)
    fits = all(key in state and state[key].shape == own[key].shape for key in own)
    if convert is None or fits:
        return state
    options = {}
    if "adapt_layer_scale" in signature(convert).parameters:
        options["adapt_layer_scale"] = True  # DeiT-3's names; other networks have no such ones.
    try:
        with redirect_stdout(StringIO()):  # It prints each bias that a network of DINOv3 lacks.
            found: Mapping[str, Tensor] = convert(dict(state), network, **options)
    except Exception:  # Of another network: `load_trunk` says what is missing.
        return state
    return found


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
