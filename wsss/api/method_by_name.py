"""CAM methods by their names in `configs/cam/`; loads the named one alone."""

import torch
from omegaconf import DictConfig, OmegaConf

from wsss.cams.core.method import CamMethod
from wsss.errors import unknown_word, user_error
from wsss.explain.method_catalogue import GROUP, known_name, method_names
from wsss.settings.build import build
from wsss.settings.config_dir import config_dir
from wsss.settings.remedies import FOR_CAM


def as_method(method: str | CamMethod | type[CamMethod], device: torch.device) -> CamMethod:
    """The CAM method of a name or a class, its own networks on `device`.

    Args:
        method: a name of `configs/cam/`, in any case, whose settings are the defaults; a method, or
            a class of them with defaults of its own.
        device: of the explained network.

    Raises:
        WsssError: there is no such method, or its own network cannot be loaded.
    """
    if isinstance(method, str):
        method = _by_name(method)
    elif isinstance(method, type) and issubclass(method, CamMethod):
        method = method()
    if not isinstance(method, CamMethod):
        raise user_error(
            "method", f"{method!r}", "a name, such as `gradcam`, or a `CamMethod`",
            "`wsss explain --list` shows the names; a method of yours derives from "
            "`wsss.cams.core.method.CamMethod`.",
        )  # fmt: skip
    for network in method.networks():
        network.to(device).eval()
    return method


def name_of(method: str | CamMethod | type[CamMethod]) -> str:
    """The name of a method in `configs/cam/`, or of its class, as the user knows it."""
    if isinstance(method, str):
        return known_name(method, method_names(config_dir()))
    return method.__name__ if isinstance(method, type) else type(method).__name__


def _by_name(name: str) -> CamMethod:
    known = method_names(config_dir())
    name = known_name(name, known)
    if name not in known:
        remedy = "Correct the name; `wsss explain --list` shows them all."
        raise unknown_word("method", "method", name, known, remedy)
    node = OmegaConf.load(config_dir() / GROUP / f"{name}.yaml")
    assert isinstance(node, DictConfig)
    node.pop("defaults", None)  # of a run: the stages that train what the method needs
    made = build(node, FOR_CAM)
    assert isinstance(made, CamMethod)
    return made
