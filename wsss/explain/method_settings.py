"""Settings of methods as plain data, with the contents of the files that they name."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from wsss.settings.content_digests import code_digests, weight_digests


def plain_settings(configs: Mapping[str, DictConfig]) -> dict[str, Any]:
    """What decides the maps of each method, by its name.

    Raises:
        WsssError: a file of weights is not there.
    """
    found = {}
    for name, config in configs.items():
        settings: Any = OmegaConf.to_container(config, resolve=True)
        weights = weight_digests(settings)
        files = {"weight_files": weights} if weights else {}
        found[name] = {"settings": settings, **files, **code_digests(settings)}
    return found
