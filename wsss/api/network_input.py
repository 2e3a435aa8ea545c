"""The input of a network: scale of values, normalisation and size of an image."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from wsss.api.image_reading import Picture, check_unit_range
from wsss.data.pyramids import Scales, Size
from wsss.errors import user_error
from wsss.models.classifier import SplitClassifier
from wsss.models.normalisation import Normalisation

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
AS_IT_IS = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
USUAL_SIDE_PX = 224
"""Input side tried last, for networks of a fixed size that no attribute tells."""
LONGEST_SIDE_PX = 8192
"""Longest side of an input that can be asked for: more is a slip, and fills the memory."""
MOST_DEVIATIONS = 10.0
"""Bound of normalised colours; larger values are taken for levels of 0…255."""

Statistics: TypeAlias = tuple[Sequence[float], Sequence[float]]
"""Mean and standard deviation of each colour, for values in [0, 1]."""
Normalise: TypeAlias = Statistics | Literal[False, "imagenet"]
"""Mean and deviation, those of ImageNet, or False for none."""


@dataclass(frozen=True, slots=True)
class Input:
    """An image as the input of a network."""

    image: Float[Tensor, "1 3 H W"]
    """Before `normalise`."""
    normalise: Normalisation
    picture: UInt8[np.ndarray, "h w 3"]
    """For display, at the size of the given image."""

    def resized(self, size: Size) -> "Input":
        """The same at another size (height, width)."""
        if size == tuple(self.image.shape[2:]):
            return self
        image = F.interpolate(self.image, size=size, mode="bilinear", antialias=True)
        return replace(self, image=image)


def as_input(network: nn.Module, picture: Picture, normalise: Normalise | None) -> Input:
    """An image as the input of a network, by the rules of `wsss.cam`.

    Raises:
        WsssError: its values are on a scale that does not fit the network, or `normalise` is no
            mean and deviation.
    """
    normalise = _checked(normalise)
    own = isinstance(network, SplitClassifier) or any(map(_normalises, network.modules()))
    statistics = normalise or (AS_IT_IS if own or normalise is False else _statistics(network))
    values = torch.from_numpy(picture.transpose(2, 0, 1).copy())[None].float()
    if picture.dtype == np.uint8:
        values, shown = values / 255, picture
    elif picture.min() >= 0 and picture.max() <= 1:
        shown = picture * 255
    else:
        if own or normalise or np.abs(picture).max() > MOST_DEVIATIONS:
            check_unit_range(picture)
        mean, std = _statistics(network)
        shown, statistics = (picture * std + mean).clip(0, 1) * 255, AS_IT_IS
    first = next(network.parameters(), torch.empty(0))
    scale = Normalisation(*statistics).to(first.device, first.dtype)
    return Input(values.to(first.device, first.dtype), scale, np.rint(shown).astype(np.uint8))


def sizes_to_try(network: nn.Module, size: Size, asked: int | Size | None) -> Iterator[Size]:
    """Candidate input sizes (height, width) for an image of `size`, the preferred one first.

    Args:
        network: a `SplitClassifier` gets multiples of its stride.
        size: of the image.
        asked: size, or length of the shorter side; where given, the only candidate.

    Raises:
        WsssError: what is asked for is no size, or too large.
    """
    asked = _checked_size(asked, size)
    if isinstance(asked, tuple):
        yield asked
        return
    features = getattr(network, "features", None)
    cell_px = getattr(features, "output_stride", 1) if isinstance(network, SplitClassifier) else 1
    if asked is None:
        yield Scales(multiple_px=cell_px).sizes(size)[0]
        sides = [
            getattr(features, "side_px", None),
            getattr(getattr(network, "patch_embed", None), "img_size", None),
            getattr(network, "image_size", None),
            getattr(getattr(network, "config", None), "image_size", None),
            getattr(network, "pretrained_cfg", {}).get("input_size", (None,))[-1],
            USUAL_SIDE_PX,
        ]
        for side in dict.fromkeys(side for side in sides if side is not None):
            yield (side, side) if isinstance(side, int) else (side[0], side[1])
    else:
        yield Scales((asked / min(size),), cell_px, max(size)).sizes(size)[0]


def _checked(normalise: Any) -> Statistics | Literal[False] | None:
    """The statistics that `normalise` means."""
    if normalise is None or normalise is False:
        return normalise
    if isinstance(normalise, str) and normalise.lower() == "imagenet":
        return IMAGENET
    try:
        numbers = np.asarray(
            [[float(one) for one in part] for part in normalise if not isinstance(part, str)]
        )
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.shape == (2, 3) and np.isfinite(numbers).all() and (numbers[1] > 0).all():
        mean, std = numbers.tolist()
        return tuple(mean), tuple(std)
    raise user_error(
        "normalise", f"{normalise!r:.80}",
        "`(mean, std)`, each three numbers for red, green and blue, with std above 0",
        f"Write `normalise=({IMAGENET[0]}, {IMAGENET[1]})`, which `\"imagenet\"` is short for, or "
        "False for a network that takes colours in [0, 1].",
    )  # fmt: skip


def _checked_size(asked: Any, size: Size) -> int | Size | None:
    """An input size as it may be asked for."""
    if asked is None:
        return None
    sides = asked if isinstance(asked, tuple | list) else (asked,)
    whole = all(isinstance(side, Integral) and not isinstance(side, bool) for side in sides)
    right = whole and len(sides) == (2 if isinstance(asked, tuple | list) else 1)
    if not right or min(sides) < 1:
        raise user_error(
            "size", f"{asked!r:.80}",
            "a whole number of pixels, 1 or more, for the shorter side, or (height, width)",
            "Write `size=224` or `size=(224, 320)`, or leave it out.",
        )  # fmt: skip
    longest = max(sides) if len(sides) == 2 else round(sides[0] * max(size) / min(size))
    if longest > LONGEST_SIDE_PX:
        raise user_error(
            "size", f"{asked!r}: a longer side of {longest:,} px",
            f"at most {LONGEST_SIDE_PX:,} px",
            "Set it smaller, or leave it out for the size of the image.",
        )  # fmt: skip
    return int(sides[0]) if len(sides) == 1 else (int(sides[0]), int(sides[1]))


def _statistics(network: nn.Module) -> Statistics:
    """Mean and deviation by timm's configuration of a network of its own, or ImageNet's."""
    config: dict[str, Any] = getattr(network, "pretrained_cfg", {})
    return config.get("mean", IMAGENET[0]), config.get("std", IMAGENET[1])


def _normalises(module: nn.Module) -> bool:
    """Whether a module has a mean and a deviation of three colours."""
    found = (getattr(module, name, None) for name in ("mean", "std"))
    return all(isinstance(v, Tensor | list | tuple) and np.size(v) == 3 for v in found)
