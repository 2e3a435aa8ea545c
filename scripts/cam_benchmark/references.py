"""The same maps from other libraries, for methods they have.

Everything is asked for in the way each library's documentation shows, for all present classes of a
batch, and ends at the same maps: rectified where the method is, at image size, in [0, 1].
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from wsss.cams.core.method import CamMethod
from wsss.explain.faithfulness_protocol import unit_maps
from wsss.models import SplitClassifier

Maps = Callable[[SplitClassifier, Tensor, Tensor], Tensor]
"""From model, images [b, 3, H, W] and classes [b, n] to maps [b, n, H, W] in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A method of another library."""

    library: str
    """Name of its distribution."""
    maps: Maps


def finished(maps: Tensor, size: tuple[int, int], rectify: bool) -> Tensor:
    """Raw maps [b, n, h, w] at image size in [0, 1]."""
    return unit_maps(maps.flatten(0, 1), size, rectify).unflatten(0, maps.shape[:2])


def own_maps(method: CamMethod, rectify: bool) -> Maps:
    """The same maps of our method."""

    def maps(model: SplitClassifier, images: Tensor, classes: Tensor) -> Tensor:
        with torch.no_grad():
            raw = method(model, images, classes)
        return finished(raw, (images.shape[2], images.shape[3]), rectify)

    return maps


def torchcam_maps(name: str, rectify: bool, **options: Any) -> Maps:
    """A method of torchcam: one forward pass, then one call a class."""

    def maps(model: SplitClassifier, images: Tensor, classes: Tensor) -> Tensor:
        from torchcam import methods

        with_gradient = name != "CAM"
        more = {"retain_graph": True} if with_gradient else {}
        make = getattr(methods, name)
        with make(model, "features", **options) as extractor, torch.set_grad_enabled(with_gradient):
            scores = model(images)
            raw = [
                extractor(column.tolist(), scores, normalized=False, **more)[0]
                for column in classes.T
            ]
        return finished(torch.stack(raw, 1).detach(), (images.shape[2], images.shape[3]), rectify)

    return maps


def pytorch_grad_cam_maps(name: str) -> Maps:
    """A method of pytorch-grad-cam: one call a class, which makes the maps ready itself."""

    def maps(model: SplitClassifier, images: Tensor, classes: Tensor) -> Tensor:
        import pytorch_grad_cam
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        make = getattr(pytorch_grad_cam, name)
        with torch.enable_grad(), make(model, [model.features]) as extractor:
            found = [
                torch.from_numpy(
                    extractor(images, [ClassifierOutputTarget(label) for label in column.tolist()])
                )
                for column in classes.T
            ]
        return torch.stack(found, 1)

    return maps


def captum_maps() -> Maps:
    """Captum's LayerGradCam: one call a class."""

    def maps(model: SplitClassifier, images: Tensor, classes: Tensor) -> Tensor:
        from captum.attr import LayerGradCam

        explainer = LayerGradCam(model, model.features)
        with torch.enable_grad():
            raw = [
                explainer.attribute(images, target=column, relu_attributions=True)[:, 0].detach()
                for column in classes.T
            ]
        return finished(torch.stack(raw, 1), (images.shape[2], images.shape[3]), rectify=True)

    return maps


RECTIFIED = {"CAM": False, "GradCAM": True, "LayerCAM": True}
"""Methods that other libraries have, by class name, and whether their maps are rectified."""

REFERENCES = {
    "CAM": (Reference("torchcam", torchcam_maps("CAM", False, fc_layer="head.linear")),),
    "GradCAM": (
        Reference("torchcam", torchcam_maps("GradCAM", True)),
        Reference("grad-cam", pytorch_grad_cam_maps("GradCAM")),
        Reference("captum", captum_maps()),
    ),
    "LayerCAM": (
        Reference("torchcam", torchcam_maps("LayerCAM", True)),
        Reference("grad-cam", pytorch_grad_cam_maps("LayerCAM")),
    ),
}
