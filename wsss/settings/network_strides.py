"""The network's own stride where a configuration leaves it open: `backbone.output_stride=null`."""

from omegaconf import DictConfig

from wsss.models.own_stride import own_stride


def fill_in_stride(cfg: DictConfig) -> None:
    """Put the image pixels per feature of a backbone of timm where its settings have null.

    Other settings, such as the sizes at which images are seen, follow from it. A name that timm
    does not know is left to whoever builds the network.

    Args:
        cfg: the configuration of a run, which is changed.
    """
    backbone = cfg.get("backbone")
    if not isinstance(backbone, DictConfig) or "output_stride" not in backbone:
        return
    name = backbone.get("name")
    if backbone.output_stride is None and isinstance(name, str):
        backbone.output_stride = own_stride(name) or UNKNOWN_STRIDE


UNKNOWN_STRIDE = 16
"""Of a network that does not exist, so that the error is the one about its name."""
