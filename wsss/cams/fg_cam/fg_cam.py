"""FG-CAM: maps as fine as an early layer, made of the components of a coarse one."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from wsss.argument_checks import check_choice, check_number
from wsss.cams.core.gradients import mean_gradients
from wsss.cams.core.masking import masked_probabilities, mean_colour
from wsss.cams.core.method import CamMethod, Classes, Images, Maps, Provenance
from wsss.cams.core.needs import Need
from wsss.cams.fg_cam.component_tape import recording
from wsss.cams.fg_cam.explanation_components import denoised
from wsss.errors import InvalidOptionError
from wsss.models.classifier import SplitClassifier

PIXELS_PER_PASS = 2**18
"""Most image pixels in one recorded pass, which keeps its feature maps: one image of 512 px."""
CLASSES_PER_PASS = 4
"""Classes whose components are carried back together."""
TRIAL_SIZE_PX = 224
"""Side of the image on which a network is tried out."""


class FGCAM(CamMethod):
    """Explanation components of the last layer, carried back to a layer of finer resolution.

    The components `I_k = α_k A_k` of the last feature map, with the channel weights `α` of Grad-CAM
    or Score-CAM, are shared out among the inputs of each operation in proportion to what they
    contributed (`explanation_components`), down to the target layer, and summed over its channels.

    Activations pass components on unchanged, since each output has one input, and the sum stays the
    same. For a ReLU that is exact: it is the identity where its output is positive, and where that
    is 0, no component arrives (unless `denoise` put one there). GELU, SiLU and Hardswish are
    neither linear nor monotone: their negative outputs take a share, too, through negative weights,
    and components before them say where evidence came from, not by how much it was damped. Only
    with ReLUs are components those of the paper.

    The algorithm is that of the authors' published code, which knows VGG alone. Additions of
    residual networks, concatenations, padding, `fold_bn` and `even_strides` are our extension.
    """

    needs = frozenset({Need.INNER_LAYERS})
    needs_gradients = True
    follows_operations = True
    provenance = Provenance(
        "Qiu et al., Fine-Grained and High-Faithfulness Explanations for Convolutional Neural "
        "Networks, arXiv 2303.09171, 2023",
        reconstructed="how components pass the additions and strided convolutions of residual "
        "networks; the published method knows plain networks only",
    )

    def __init__(
        self,
        *,
        base: Literal["grad", "score"] = "grad",
        denoise: bool = False,
        kept_fraction: float = 0.1,
        target_layer: str | int | None = 1,
        fold_bn: bool = False,
        even_strides: bool = True,
    ) -> None:
        """Set the options.

        Args:
            base: channel weights of Grad-CAM (`grad`) or of Score-CAM (`score`), which takes a pass
                for each channel.
            denoise: whether only the strongest singular vectors of the components are kept.
            kept_fraction: how many of them are, as a fraction.
            target_layer: one of the model's inner layers, by name or by position (0 the finest,
                -1 the coarsest), `input` for the image, None for the last feature map. The default
                has stride 4 in ResNets and EfficientNets.
            fold_bn: whether a batch norm's scale counts as part of the weights of the convolution
                before it; the authors leave it out.
            even_strides: whether strided convolutions share components out as if all positions
                were in as many windows. Without, maps of networks that have some, such as
                EfficientNets and ResNets, show a chequerboard; VGG has none.

        Raises:
            ValueError: an option is out of its range.
        """
        check_choice(("grad", "score"), base=base)
        expected = "above 0 and at most 1"
        check_number(lambda part: 0 < part <= 1, expected, kept_fraction=kept_fraction)
        self.base = base
        self.shares_score = base == "grad"
        self.denoise = denoise
        self.kept_fraction = kept_fraction
        self.target_layer = target_layer
        self.fold_bn = fold_bn
        self.even_strides = even_strides

    @torch.no_grad()
    def check(self, model: SplitClassifier) -> None:
        """Refuse a model without the target layer, or with operations that no rule covers.

        Raises:
            WsssError: names the layer or the operation, and what would do.
        """
        super().check(model)
        if self.target_layer is None:
            return
        if len(model.networks) > 1 and self.target_layer != "input":
            raise InvalidOptionError(
                "target_layer",
                self.target_layer,
                "`input`, where all networks of a joined backbone meet",
                "components of the other networks never reach a layer of one",
                "Carry them to the input, or take one network alone, or a method such as CAM.",
            )
        weight = next(model.parameters())
        images = weight.new_zeros(1, 3, TRIAL_SIZE_PX, TRIAL_SIZE_PX)
        with recording(model.features, self._root(model, images)) as tape:
            features = model.features(images)
        tape.check(features)

    def maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Raw maps of `n` classes of each image, at the resolution of the target layer."""
        images_per_pass = max(1, PIXELS_PER_PASS // (images.shape[-2] * images.shape[-1]))
        parts = (torch.split(tensor, images_per_pass) for tensor in (images, classes))
        return torch.cat([self._maps(model, *part) for part in zip(*parts, strict=True)])

    def _maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Raw maps of images that fit into one recorded pass."""
        if self.target_layer is None:
            features = model.features(images)
            return self._components(model, images, features, classes).sum(dim=2).transpose(0, 1)
        root = self._root(model, images)
        with recording(model.features, root, self.fold_bn, self.even_strides) as tape:
            features = model.features(images)
        components = self._components(model, images, features, classes)
        carried = tape.carry_back(features, components, CLASSES_PER_PASS)
        # Nothing else holds them while they are carried back.
        del components
        return torch.stack([one.sum(dim=1) for one in carried], dim=1)

    def _root(self, model: SplitClassifier, images: Images) -> nn.Module | Tensor:
        """The module, or the images, that the components are carried back to."""
        if self.target_layer == "input":
            return images
        layers = dict(model.inner_layers)
        target = self.target_layer
        if isinstance(target, int) and -len(layers) <= target < len(layers):
            return list(layers.values())[target]
        if isinstance(target, str) and target in layers:
            return layers[target]
        raise InvalidOptionError(
            "target_layer",
            target,
            f"one of {', '.join(layers)}, a position among them, `input` or nothing at all",
        )

    def _components(
        self,
        model: SplitClassifier,
        images: Images,
        features: Float[Tensor, "b k h w"],
        classes: Classes,
    ) -> Float[Tensor, "n b k h w"]:
        """`I_k = α_k A_k` of every class, denoised if wished."""
        if self.base == "grad":
            weights = mean_gradients(model.head, features, classes).transpose(0, 1).contiguous()
        else:
            background = mean_colour(model).to(images)
            scores = [
                masked_probabilities(model, image, background, maps)
                for image, maps in zip(images, features, strict=True)
            ]
            weights = torch.stack(scores).gather(2, classes[:, None].expand(-1, len(scores[0]), -1))
            weights = weights.permute(2, 0, 1)
        components = weights[..., None, None] * features
        return denoised(components, self.kept_fraction) if self.denoise else components
