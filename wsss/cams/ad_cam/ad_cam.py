"""Attention-based class activation diffusion (Huang et al., AD-CAM)."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor

from wsss.argument_checks import layer_numbers
from wsss.cams.ad_cam.coupling import Coupling, Diffusion
from wsss.cams.cam import class_activation_maps
from wsss.cams.core.method import CamMethod, Classes, Images, Maps
from wsss.cams.core.needs import Need, lacking
from wsss.cams.core.postprocess import PUBLISHED_EPSILON, normalise_max, resize
from wsss.models.attention_network import second_network
from wsss.models.classifier import LinearHead, SplitClassifier
from wsss.models.vit import VitBackbone


class ADCAM(CamMethod):
    """CAM whose activations diffuse along a vision transformer's attention.

    Reconstruction from the published abstract: the formulas of agreement and diffusion, the layers
    and the number of steps are not the authors'. Attention comes from the classifier itself, or
    from a second network that looks at the same image.
    """

    needs = frozenset({Need.LINEAR_HEAD, Need.ATTENTION})
    provenance = Diffusion.provenance

    def __init__(
        self,
        *,
        attention_network: VitBackbone | None = None,
        layers: Sequence[int] | None = None,
        coupling: Coupling | None = None,
        normalise: bool = True,
    ) -> None:
        """Choose attention and coupling.

        Args:
            attention_network: a vision transformer beside the classifier, whose grid of patches is
                the maps'; None for the classifier's own attention. It is frozen and put into
                evaluation mode, itself and not a copy.
            layers: of the attention, from 0, or negative from the end; None for all.
            coupling: of map and attention; None for `Diffusion` with its defaults.
            normalise: whether maps are first divided by their maxima, so that all sizes at which an
                image is seen weigh the same.

        Raises:
            ValueError: network or layers are of another kind.
        """
        self.attention_network = second_network(attention_network)
        self.layers = layer_numbers(layers)
        self.coupling = Diffusion() if coupling is None else coupling
        self.provenance = self.coupling.provenance
        self.normalise = normalise
        if attention_network is not None:
            self.needs = self.needs - {Need.ATTENTION}

    def check(self, model: SplitClassifier) -> None:
        """Refuse a model that the method cannot explain, or without the chosen layers of attention.

        Raises:
            WsssError: names what is missing.
        """
        super().check(model)
        network = self._network(model)
        if self.coupling.needs_class_token and not network.has_class_token:
            raise lacking(type(self.coupling).__name__, network.name, {Need.CLASS_TOKEN})

    def maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Maps of `n` classes of each image, not negative, on the grid of patches."""
        head = cast("LinearHead", model.head)
        features, attention, size = self._observed(model, images)
        maps = resize(class_activation_maps(features, head.weight, classes).relu(), size)
        if self.normalise:
            maps = normalise_max(maps, PUBLISHED_EPSILON)
        return self.coupling(maps.flatten(2), attention).view_as(maps)

    def _observed(
        self, model: SplitClassifier, images: Images
    ) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """Features, attention summed over the layers, and the grid of its patches."""
        network = self._network(model)
        if self.attention_network is None:
            features, attention = network.forward_with_attention(images, self.layers)
        else:
            network.to(images.device)
            features = model.features(images)
            _, attention = network.forward_with_attention(images, self.layers)
        every = range(network.num_layers)
        chosen = {every[layer] for layer in self.layers or every}
        return features, attention * len(chosen), network.grid(images)

    def _network(self, model: SplitClassifier) -> VitBackbone:
        """The network of the attention; refused without the chosen layers."""
        network = self.attention_network
        if network is None:
            network = cast("VitBackbone", model.features)
        network.check_layers(self.layers)
        return network
