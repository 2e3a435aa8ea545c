"""Weights on a library's hub: those in its cache, about which nobody is asked, else a download.

Left alone, timm asks the hub whether there is a newer file than the one that it has, and tries for
a minute to reach a hub that is out of reach.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsss.errors import InvalidOptionError
from wsss.models.hub_files import AddressFile, HubFile, RepositoryFile

# `wsss check` looks for weight files without importing torch.
if TYPE_CHECKING:
    from torch import nn

HUB_WEIGHTS = "hub"
"""Weights that their library downloads."""
_TIMM_NAMES = ("model.safetensors", "pytorch_model.bin")
"""What timm calls files of weights, in the order in which it looks for them."""


def make_available(network: str, file: HubFile) -> None:
    """Let the weights be in the cache, or let their library find a hub that answers.

    Args:
        network: name of their network, for the error.
        file: the weights.

    Raises:
        InvalidOptionError: they are not in the cache, and the hub is out of reach or switched off
            by `HF_HUB_OFFLINE`; says which file belongs where.
    """
    from huggingface_hub import constants

    if file.cached() is not None:
        return
    if constants.HF_HUB_OFFLINE:
        raise _missing(network, file, "the hub is switched off (HF_HUB_OFFLINE)")
    try:
        file.fetch()
    except Exception as error:
        raise _missing(network, file, f"asking {file.host} failed ({_said(error)})") from error


def timm_network(name: str, **options: Any) -> nn.Module:
    """A network of timm with its weights.

    Args:
        name: timm's, with or without the tag of a training behind a dot.
        options: of `timm.create_model`.

    Raises:
        InvalidOptionError: there are no weights, they are out of reach or damaged.
    """
    import timm

    file = _timm_file(name)
    make_available(name, file)
    overlay: dict[str, Any] = {}
    if isinstance(file, RepositoryFile):  # timm asks the hub in any case, unless it is told a path.
        overlay = {"file": str(file.cached()), "custom_load": False}
    try:
        return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **options)
    except Exception as error:
        raise InvalidOptionError(
            "weights", HUB_WEIGHTS, f"the weights of `{name}`: {file.described}",
            f"{file.cached() or file.host} cannot be read as weights ({_said(error)})",
            "Remove the file, so that it is downloaded again.",
        ) from error  # fmt: skip


def _timm_file(name: str) -> RepositoryFile | AddressFile:
    """Where timm has the weights of a network."""
    from timm.models import get_pretrained_cfg

    try:
        found = get_pretrained_cfg(name)
    except RuntimeError:  # There is no such training.
        found = None
    if found is not None and found.hf_hub_id:
        repository, _, revision = found.hf_hub_id.partition("@")
        names = (found.hf_hub_filename,) if found.hf_hub_filename else _TIMM_NAMES
        return RepositoryFile(repository, names, revision or None)
    if found is not None and found.url:
        return AddressFile(found.url) if isinstance(found.url, str) else AddressFile(*found.url)
    raise InvalidOptionError(
        "weights", HUB_WEIGHTS, "a network with published weights, a file or none at all",
        f"timm has no weights of `{name}`",
        "Name a .safetensors or .pth file, or a network of `timm.list_models(pretrained=True)`.",
    )  # fmt: skip


def _missing(network: str, file: HubFile, why: str) -> InvalidOptionError:
    """The error for weights that cannot be had."""
    return InvalidOptionError(
        "weights", HUB_WEIGHTS, file.described,
        f"the weights of `{network}` are not in the cache, and {why}",
        f"{file.how_to_copy}, or name a .safetensors or .pth file instead of `{HUB_WEIGHTS}`.",
        {"weights of a hub"},
    )  # fmt: skip


def _said(error: Exception) -> str:
    """Kind and first line of an error."""
    return ": ".join((type(error).__name__, *str(error).splitlines()[:1]))
