"""Image pixels per feature of a network of timm, known by its name."""

import re
from typing import Any

_PATCH = re.compile(r"_patch(\d+)(?=_|\.|$)")
_SMALLEST_PX = 8
"""Smaller patches are the beginning of networks that go on to halve the resolution."""


def own_stride(name: str) -> int | None:
    """Image pixels per feature without dilation; None if timm has no such network.

    Where the name does not tell the size of the patches, the network is built without memory, which
    takes seconds.
    """
    found = _PATCH.search(name)
    if found and int(found[1]) >= _SMALLEST_PX:
        return int(found[1])
    # Settings ask without torch where the name tells it.
    import timm
    import torch

    if not timm.is_model(name):
        return None
    with torch.device("meta"):
        network: Any = timm.create_model(name, pretrained=False, num_classes=0)
    return int(network.feature_info[-1]["reduction"])
