"""Methods and models by name, as the pipeline builds them."""

from collections.abc import Sequence
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor

from wsss.cams.core.method import CamMethod
from wsss.explain.baseline_methods import BASELINES
from wsss.models import SplitClassifier, TimmBackbone
from wsss.models.hub import HUB_WEIGHTS
from wsss.models.saved_classifier import is_classifier, load_finished
from wsss.settings.build import build
from wsss.settings.config_dir import config_dir

SEED = 0


WITHOUT_WEIGHTS = {"clip_text"}
"""Methods of networks whose weights are a download: two towers that were trained together."""


def method_names() -> list[str]:
    """All methods that have a configuration, but those `WITHOUT_WEIGHTS`."""
    names = {path.stem for path in (config_dir() / "cam").glob("*.yaml")}
    return sorted(names - WITHOUT_WEIGHTS)


def composed(overrides: Sequence[str]) -> DictConfig:
    """The configuration of a run."""
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("run", overrides=list(overrides))


def make_method(
    name: str, overrides: Sequence[str], device: torch.device, trained: bool = True
) -> CamMethod:
    """The method of `cam=<name>`, or a baseline; its networks move to the device.

    Args:
        name: in configs/cam, or in `BASELINES`.
        overrides: settings of it; a baseline has none.
        device: of its networks.
        trained: whether these need the weights of a hub. Time and memory do not: random ones are of
            a fixed seed.
    """
    if name in BASELINES:
        return BASELINES[name]
    settings = composed([f"cam={name}", *overrides]).cam
    if not trained:
        forget_hubs(settings)
        torch.manual_seed(SEED)
    method: CamMethod = build(settings)
    for network in method.networks():
        network.to(device).eval()
    return method


def forget_hubs(settings: DictConfig) -> None:
    """Let networks in the settings have random weights instead of a hub's."""
    for key, value in settings.items():
        if isinstance(value, DictConfig):
            forget_hubs(value)
        elif key == "weights" and value == HUB_WEIGHTS:
            settings[key] = None


def make_model(name: str, num_classes: int, device: torch.device) -> SplitClassifier:
    """A classifier of a configured backbone, a timm network or an exported classifier's folder.

    Networks have random weights of a fixed seed: time and memory do not depend on them.
    """
    torch.manual_seed(SEED)
    if is_classifier(Path(name)):
        model, _ = load_finished(Path(name))
    elif (config_dir() / "backbone" / f"{name}.yaml").is_file():
        config = composed([f"backbone={name}", "backbone.weights=null"]).backbone
        model = SplitClassifier.linear(instantiate(config)(freeze="none"), num_classes)
    else:
        model = SplitClassifier.linear(TimmBackbone(name), num_classes)
    return model.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]


def make_inputs(
    model: SplitClassifier, batch_size: int, size_px: int, num_present: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Random RGB images [b, 3, s, s] in [0, 1], and different classes [b, n] of each."""
    rng = torch.Generator().manual_seed(SEED)
    images = torch.rand(batch_size, 3, size_px, size_px, generator=rng)
    count = min(num_present, model.num_classes)
    classes = [torch.randperm(model.num_classes, generator=rng)[:count] for _ in images]
    return images.to(device, memory_format=torch.channels_last), torch.stack(classes).to(device)
