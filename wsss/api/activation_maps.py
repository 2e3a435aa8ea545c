"""The result of `wsss.cam`: maps of classes over an image, to compute with and to look at."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from wsss.api.class_indices import known_names
from wsss.api.png import png
from wsss.errors import user_error
from wsss.explain.class_choice import indices_by_name
from wsss.report.overlays import heat_overlay
from wsss.report.panels import Panel

MOST_NAMED = 5
"""Classes that are named where a result is described."""


@dataclass(frozen=True, repr=False)
class ActivationMaps:
    """Activation maps of n classes of an image of H × W px.

    `maps` [n, H, W] in [0, 1] are for showing, at the size of the image; `raw` [n, h, w] are the
    method's own, signed and at the resolution of the layer, for computing with. `classes`, `names`
    and `probabilities` tell of which class each map is, and `overlay` draws one.
    """

    maps: Float[Tensor, "n H W"]
    """A map in [0, 1] of each class at the size of the image: positive evidence, stretched."""
    raw: Float[Tensor, "n h w"]
    """The method's raw maps: signed, not normalised."""
    classes: tuple[int, ...]
    """Index of each map's class."""
    probabilities: tuple[float, ...]
    """Predicted probability of each map's class."""
    picture: UInt8[np.ndarray, "H W 3"] = field(repr=False)
    """The image."""
    class_names: Sequence[str] | None = field(default=None, repr=False)
    """Names of all classes of the network, where they were given or loaded."""
    num_classes: int = 0

    @property
    def names(self) -> tuple[str, ...] | None:
        """Name of each map's class; None if names are not known. 1,000 classes are ImageNet's."""
        names = known_names(self.class_names, self.num_classes)
        return None if names is None else tuple(names[index] for index in self.classes)

    def overlay(self, which: int | str = 0) -> Image.Image:
        """The grey image with one of the maps over it.

        Args:
            which: position of the map among `classes`, or the name of its class.

        Raises:
            WsssError: there is no such map.
        """
        heat = self.maps[self._position(which)].numpy()
        return Image.fromarray(heat_overlay(self.picture, heat))

    def _position(self, which: int | str) -> int:
        if isinstance(which, str):
            names = known_names(self.class_names, self.num_classes) or ()
            index = indices_by_name(names).get(which.strip().lower())
            if index in self.classes:
                return self.classes.index(index)
        elif hasattr(which, "__index__") and -len(self.classes) <= which < len(self.classes):
            return int(which)
        listed = ", ".join(f"`{name}`" for name in (self.names or ())[:MOST_NAMED])
        raise user_error(
            "overlay", f"{which!r:.80}",
            f"a position 0…{len(self.classes) - 1} among the explained classes"
            + (f", or one of their names: {listed}" if listed else ""),
            "Correct it, or ask `wsss.cam` for that class.",
        )  # fmt: skip

    def __repr__(self) -> str:
        titles = self.names or tuple(f"class {index}" for index in self.classes)
        shown = ", ".join(
            f"{title.partition(',')[0]} {probability:.2f}"
            for title, probability in zip(titles[:MOST_NAMED], self.probabilities, strict=False)
        )
        more = f", and {len(titles) - MOST_NAMED:,} more" if len(titles) > MOST_NAMED else ""
        height, width = self.maps.shape[1:]
        raw_height, raw_width = self.raw.shape[1:]
        low, high = (float(limit) for limit in (self.raw.min(), self.raw.max()))
        return (
            f"ActivationMaps({shown}{more}; maps of {height} × {width} px in [0, 1], from raw ones "
            f"of {raw_height} × {raw_width}, {low:.3g}…{high:.3g})"
        )

    def _repr_png_(self) -> bytes:
        """The image and all maps side by side, for notebooks."""
        titles = self.names or tuple(f"class {index}" for index in self.classes)
        panels = [Panel("image", self.picture)]
        for position, title in enumerate(titles):
            panels.append(Panel(title, np.array(self.overlay(position))))
        return png(panels)
