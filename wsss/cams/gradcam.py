"""Maps from gradients: Grad-CAM (Selvaraju et al.) and Layer-CAM (Jiang et al.)."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from wsss.argument_checks import check_layers, layer_names
from wsss.cams.core.gradients import class_gradients, differentiable_head
from wsss.cams.core.method import CamMethod, Classes, Images, Maps, Provenance
from wsss.cams.core.postprocess import normalise_minmax, resize
from wsss.errors import InvalidOptionError
from wsss.models.classifier import SplitClassifier
from wsss.models.feature_maps import feature_maps
from wsss.models.layer_outputs import differentiable_from


def gradcam_maps(
    activations: Float[Tensor, "b k h w"], gradients: Float[Tensor, "b k h w"]
) -> Float[Tensor, "b h w"]:
    """Channels weighted by mean gradients, `Σ_k mean_ij(g_k) A_k` (Selvaraju et al., eq. 1, 2)."""
    return torch.einsum("bk,bkhw->bhw", gradients.mean(dim=(2, 3)), activations)


def layercam_maps(
    activations: Float[Tensor, "b k h w"], gradients: Float[Tensor, "b k h w"]
) -> Float[Tensor, "b h w"]:
    """Activations weighted by positive gradients, `Σ_k ReLU(g_k) ⊙ A_k` (Jiang et al. 2021)."""
    return torch.einsum("bkhw,bkhw->bhw", gradients.relu(), activations)


def fused_layers(maps: Sequence[Float[Tensor, "b n _ _"]]) -> Float[Tensor, "b n h w"]:
    """The mean of several layers' maps: ReLU, min-max to [0, 1] and resize to the finest, each."""
    size = max((tuple(one.shape[2:]) for one in maps), key=lambda size: size[0] * size[1])
    scaled = [resize(normalise_minmax(one.relu()), (size[0], size[1])) for one in maps]
    return torch.stack(scaled).mean(dim=0)


class GradientMethod(CamMethod):
    """A map of each layer from its activations and the gradients of a class's logit by them."""

    needs_gradients = True

    def __init__(self, *, layers: Sequence[str] | None = None) -> None:
        """Choose where to look.

        Args:
            layers: names of the model's inner layers; None for the feature map before the head,
                where only the head is differentiated. The maps of several layers are fused: each is
                rectified, stretched to [0, 1] and resized to the finest, then they are averaged.

        Raises:
            ValueError: `layers` is no list of one or more different names.
        """
        self.layers = layer_names(layers)
        if self.layers == ():
            raise InvalidOptionError("layers", (), "names of layers, or None for the last map")
        self.shares_score = self.layers is None or len(self.layers) == 1  # several are stretched

    @staticmethod
    @abstractmethod
    def layer_maps(
        activations: Float[Tensor, "b k h w"], gradients: Float[Tensor, "b k h w"]
    ) -> Float[Tensor, "b h w"]:
        """Raw maps of one layer."""

    def check(self, model: SplitClassifier) -> None:
        """Refuse a model that lacks one of the layers.

        Raises:
            WsssError: names the layers that the model has.
        """
        super().check(model)
        self._modules(model)

    def _modules(self, model: SplitClassifier) -> list[nn.Module]:
        """The layers, shallow to deep; none for the feature map before the head."""
        check_layers(self.layers or (), model.inner_layers)
        return [layer for name, layer in model.inner_layers.items() if name in (self.layers or ())]

    def maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Raw maps of `n` classes of each image: one forward pass, `n` backward to the layers.

        Of one layer they are signed and at its resolution; of several in [0, 1], at the finest.
        """
        activations, logits = self._observed(model, images)
        # Maps of detached activations keep no graph, and so no class's gradients.
        seen = [one.detach() for one in activations]
        maps = [
            [self.layer_maps(*pair) for pair in zip(seen, gradients, strict=True)]
            for gradients in class_gradients(logits, activations, classes)
        ]
        layers = [torch.stack(of_layer, dim=1) for of_layer in zip(*maps, strict=True)]
        return layers[0] if len(layers) == 1 else fused_layers(layers)

    def _observed(
        self, model: SplitClassifier, images: Images
    ) -> tuple[list[Tensor], Float[Tensor, "b c"]]:
        """Activations of the layers and the logits, joined by an autograd graph."""
        if self.layers is None:
            features, logits = differentiable_head(model.head, feature_maps(model.features, images))
            return [features], logits
        with differentiable_from(model, self._modules(model)) as activations:
            logits = model(images)
        return activations, logits


class GradCAM(GradientMethod):
    """Gradient-weighted activation maps of any differentiable network; CAM for a linear head."""

    provenance = Provenance(
        "Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based "
        "Localization, ICCV 2017"
    )
    layer_maps = staticmethod(gradcam_maps)


class LayerCAM(GradientMethod):
    """Activations weighted by their own positive gradients, which keeps the detail of early layers.

    Without the paper's tanh scaling of the shallow layers, as in torchcam and pytorch-grad-cam.
    """

    provenance = Provenance(
        "Jiang et al., LayerCAM: Exploring Hierarchical Class Activation Maps for Localization, "
        "IEEE TIP 2021"
    )
    layer_maps = staticmethod(layercam_maps)
