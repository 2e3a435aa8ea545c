"""The interface of CAM methods: raw maps of a split classifier."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from wsss.cams.core.needs import Need, lacking, offers
from wsss.errors import InvalidOptionError, UnsupportedError
from wsss.models.classifier import SplitClassifier
from wsss.models.layer_outputs import derivable_by_inputs

Images = Float[Tensor, "b 3 H W"]
"""RGB in [0, 1]."""
Classes = Int64[Tensor, "b n"]
"""Class indices 0…C-1; images with fewer classes repeat one."""
Maps = Float[Tensor, "b n _ _"]
"""Raw maps of `n` classes of each image, signed, at the method's resolution."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a method's formulas come from, for `wsss explain --list`."""

    paper: str
    """Authors, short title, venue and year."""
    reconstructed: str = ""
    """Parts that are in neither the paper nor its authors' code; empty if none."""


class CamMethod(ABC):
    """A method that explains class logits by maps over the image: subclasses define `maps`.

    Methods return raw maps, signed and unnormalised; everything after that (ReLU, resizing,
    normalising, scales and flips) is the same for all and lives in `postprocess` and `multiscale`.
    They leave nothing behind: no hook, no gradient flag, no mode, no random state. What torch may
    round on a GPU (TF32) is as the caller has set it.
    """

    needs: frozenset[Need] = frozenset()
    """What a model must offer; an instance's options may lift some of it."""
    needs_gradients: bool = False
    """Whether `maps` differentiates. Autograd then records, with all parameters as constants."""
    provenance: Provenance = Provenance("no publication")
    """Where its formulas come from; options may give an instance another."""
    sees_scales: bool = False
    """Whether `maps` averages over scales and mirror images itself."""
    follows_operations: bool = False
    """Whether `maps` follows evidence through every operation; batch norms then stay their own."""
    shares_score: bool = False
    """Whether values are shares of a score: on a finer grid they are smaller, their sum is not."""

    def networks(self) -> Iterator[nn.Module]:
        """Networks of the method's own, beside the classifier."""
        return (part for part in vars(self).values() if isinstance(part, nn.Module))

    def check_needs(self, model: SplitClassifier) -> None:
        """Refuse a model that lacks something the method needs.

        Raises:
            UnsupportedError: names what the model lacks.
        """
        if missing := self.needs - offers(model):
            features, head = type(model.features).__name__, type(model.head).__name__
            raise lacking(type(self).__name__, f"a model of {features} and {head}", missing)

    def check(self, model: SplitClassifier) -> None:
        """Refuse, before a run begins, a model that the method cannot explain.

        Methods whose options name layers look for them, too.

        Raises:
            WsssError: names what the method needs and a model that has it.
        """
        self.check_needs(model)

    def __call__(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Raw maps of `n` classes of each image, without a gradient.

        Args:
            model: the classifier, in evaluation mode.
            images: RGB in [0, 1].
            classes: indices 0…C-1; images with fewer classes repeat one.

        Raises:
            IndexError: a class index is out of range.
            RuntimeError: the method needs gradients, and `torch.inference_mode` is on.
            WsssError: the model lacks something the method needs, or `maps` gave no maps.
        """
        self.check_needs(model)
        check_classes(model, classes)
        with derivable_by_inputs(model) if self.needs_gradients else torch.no_grad():
            maps = self.maps(model, images, classes)
        self._check_maps(maps, classes)
        return maps.detach()

    def _check_maps(self, maps: Any, classes: Classes) -> None:
        """Refuse what a subclass returns, unless it is a map of every class of every image."""
        is_tensor = isinstance(maps, Tensor)
        if is_tensor and maps.ndim == 4 and maps.shape[:2] == classes.shape and maps.numel():
            return
        owner, (images, count) = type(self).__name__, classes.shape
        raise UnsupportedError(
            owner,
            f"`{owner}.maps` gives "
            + (f"{list(maps.shape)}" if is_tensor else f"a {type(maps).__name__}"),
            f"a tensor [B, n, h, w], here [{images}, {count}, h, w]: B = {images} images, "
            f"n = {count} classes of each",
            f"Correct `{owner}.maps`.",
        )

    @abstractmethod
    def maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Compute the result of `__call__`, for a checked model and checked classes."""


def check_is_method(method: object, option: str = "") -> None:
    """Refuse what is no CAM method, such as an object of a class that does not derive from one.

    Args:
        method: the object.
        option: the argument that it came as.

    Raises:
        InvalidOptionError: names its class.
    """
    if not isinstance(method, CamMethod):
        kind = method.__name__ if isinstance(method, type) else type(method).__name__
        raise InvalidOptionError(
            option, kind, "a class that derives from `wsss.cams.core.method.CamMethod`",
            "this is no CAM method", "Derive it, and let its `maps` return the maps [B, n, h, w].",
        )  # fmt: skip


def check_classes(model: SplitClassifier, classes: Classes) -> None:
    """Refuse class indices out of range; negative ones would count from the end.

    Raises:
        IndexError: names the range.
    """
    if classes.numel() and not 0 <= int(classes.min()) <= int(classes.max()) < model.num_classes:
        raise IndexError(
            f"class indices {int(classes.min())}…{int(classes.max())}: "
            f"expected 0…{model.num_classes - 1}"
        )
