"""Class re-activation maps (Chen et al., Class Re-Activation Maps for WSSS)."""

from typing import cast

from wsss.cams.cam import class_activation_maps
from wsss.cams.core.method import CamMethod, Classes, Images, Maps, Provenance
from wsss.cams.core.needs import Need
from wsss.models.classifier import SplitClassifier
from wsss.models.feature_maps import feature_maps
from wsss.models.recam_head import ReactivatedHead


class ReCAM(CamMethod):
    """Class activation maps by the product of two classifiers' weights.

    The stage `reactivate` trains the second classifier, with a soft-max, on features pooled under
    the first one's maps.
    """

    needs = frozenset({Need.LINEAR_HEAD, Need.SECOND_CLASSIFIER})
    provenance = Provenance(
        "Chen et al., Class Re-Activation Maps for Weakly-Supervised Semantic Segmentation, "
        "CVPR 2022"
    )

    def __init__(self, second_weights: bool = True) -> None:
        """Choose the weights.

        Args:
            second_weights: multiply the first classifier's weights by the second one's, as the
                paper and the authors' code for VOC do. False, as their code for COCO: maps are
                those of the first classifier alone, which the second one has trained with.
        """
        self.second_weights = second_weights

    def maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Raw maps `M_c = Σ_k W1_ck W2_ck A_k` at the resolution of the features.

        Without the second weights `M_c = Σ_k W1_ck A_k`.
        """
        head = cast("ReactivatedHead", model.head)
        weights = head.weight * head.second_weight if self.second_weights else head.weight
        return class_activation_maps(feature_maps(model.features, images), weights, classes)
