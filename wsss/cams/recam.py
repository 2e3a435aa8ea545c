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

    def maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Raw maps `M_c = Σ_k W1_ck W2_ck A_k` at the resolution of the features."""
        head = cast("ReactivatedHead", model.head)
        product = head.weight * head.second_weight
        return class_activation_maps(feature_maps(model.features, images), product, classes)
