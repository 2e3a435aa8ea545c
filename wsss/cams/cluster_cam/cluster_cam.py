"""Cluster-CAM: clusters of feature maps, weighted by probabilities of masked images."""

from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from wsss.argument_checks import check_choice, check_whole
from wsss.cams.cluster_cam.channel_clusters import MAX_SEED, cluster_channels, cluster_means
from wsss.cams.core.masking import masked_probabilities, mean_colour
from wsss.cams.core.method import CamMethod, Classes, Images, Maps, Provenance
from wsss.cams.core.postprocess import normalise_minmax
from wsss.metrics.explanation.replacement_images import Blur
from wsss.models.classifier import SplitClassifier
from wsss.models.feature_maps import feature_maps

OPTIONS = {
    "feature": ("shape", "raw"),
    "algorithm": ("kmeans", "spectral"),
    "fill": ("mean", "blur"),
    "merge": ("difference", "score"),
}


class ClusterCAM(CamMethod):
    """Map of the channel cluster with the highest score, minus that of the lowest.

    Reconstruction from the published abstract and a third-party program. The channels of the last
    feature map are clustered; each cluster's mean map masks the image, and the probability of the
    class in the masked image is the cluster's score. The best cluster is the cognition-base `C⁺`,
    the worst the cognition-scissors `C⁻`; the map is `N(C⁺) - N(C⁻)`, `N` stretching to [0, 1].
    It takes a pass over the image and one over each of G masked images; any head will do.
    """

    provenance = Provenance(
        "Feng et al., Cluster-CAM: Cluster-Weighted Visual Interpretation of CNNs' Decision in "
        "Image Classification, Neural Networks 178, 2024",
        reconstructed="from the published abstract and a third-party program: what "
        "is clustered, the number of clusters, the score and how base and scissors are merged",
    )

    def __init__(
        self,
        *,
        num_clusters: int | Literal["elbow"] = 10,
        feature: Literal["shape", "raw"] = "shape",
        algorithm: Literal["kmeans", "spectral"] = "kmeans",
        fill: Literal["mean", "blur"] = "mean",
        cic: bool = False,
        top: int = 1,
        bottom: int = 1,
        merge: Literal["difference", "score"] = "difference",
        seed: int = 0,
    ) -> None:
        """Set the options.

        Args:
            num_clusters: G, or `elbow` to choose 3…√K from how tight clusters are.
            feature: cluster maps by `shape` (unit length), or `raw`, so that strong ones decide.
            algorithm: `kmeans`, or `spectral` clustering of the maps' cosines.
            fill: shown where a mask is 0: the network's `mean` colour, or the image under the
                insertion metric's `Blur`.
            cic: scores are the increase over the fully masked image (channel-wise increase of
                confidence), which takes one more pass.
            top: number of best clusters that form the base, weighted by their scores.
            bottom: number of worst clusters that form the scissors, weighted by how far their
                scores are from 1. A cluster of the base is never in the scissors.
            merge: `difference` of base and scissors, or weighted by the best `score` s:
                `s N(C⁺) - (1-s) N(C⁻)`.
            seed: of the clustering, 0…2³²-1.

        Raises:
            ValueError: an option is out of its range.
        """
        given = {"feature": feature, "algorithm": algorithm, "fill": fill, "merge": merge}
        for name, value in given.items():
            check_choice(OPTIONS[name], **{name: value})
        if isinstance(num_clusters, str):
            check_choice(["elbow"], num_clusters=num_clusters)
        else:
            check_whole(1, num_clusters=num_clusters)
        check_whole(1, top=top)
        check_whole(0, bottom=bottom)
        check_whole(0, MAX_SEED, seed=seed)
        self.num_clusters: int | Literal["elbow"] = num_clusters
        self.feature = feature
        self.algorithm = algorithm
        self.fill = fill
        self.cic = cic
        self.top = top
        self.bottom = bottom
        self.merge = merge
        self.seed = seed

    def maps(self, model: SplitClassifier, images: Images, classes: Classes) -> Maps:
        """Raw maps in [-1, 1] of `n` classes of each image, at the resolution of the features."""
        maps = [
            self._image_maps(model, *one)
            for one in zip(images, feature_maps(model.features, images), classes, strict=True)
        ]
        return torch.stack(maps)

    def _image_maps(
        self,
        model: SplitClassifier,
        image: Float[Tensor, "3 H W"],
        features: Float[Tensor, "k h w"],
        classes: Int64[Tensor, " n"],
    ) -> Float[Tensor, "n h w"]:
        """Cluster, look and merge."""
        labels = cluster_channels(
            features, self.num_clusters, self.feature, self.algorithm, self.seed
        )
        clusters = cluster_means(features, labels)
        stretched = normalise_minmax(clusters)
        varied = stretched.flatten(1).any(dim=1)
        clusters, stretched = clusters[varied], stretched[varied]
        if not len(clusters):
            return features.new_zeros(len(classes), *features.shape[1:])
        background = mean_colour(model).to(image) if self.fill == "mean" else Blur()(image[None])[0]
        scores = masked_probabilities(model, image, background, clusters)[:, classes]
        if self.cic:
            hidden = background.expand_as(image)[None]
            scores = scores - model.probabilities(model(hidden))[:, classes]
        base, scissors = base_and_scissors(stretched, scores, self.top, self.bottom)
        if self.merge == "difference":
            return base - scissors
        best = scores.amax(dim=0)[:, None, None]
        return best * base - (1 - best) * scissors


def base_and_scissors(
    clusters: Float[Tensor, "g h w"], scores: Float[Tensor, "g n"], top: int, bottom: int
) -> tuple[Float[Tensor, "n h w"], Float[Tensor, "n h w"]]:
    """Cognition-base and cognition-scissors of each class; without scissors these are zeros.

    Args:
        clusters: maps in [0, 1].
        scores: of each cluster for each class.
        top: number of best clusters in the base.
        bottom: number of worst clusters in the scissors, of those that are left.
    """
    top = min(top, len(clusters))
    bottom = min(bottom, len(clusters) - top)
    ordered, order = scores.sort(dim=0, descending=True, stable=True)
    base = _weighted_mean(clusters[order[:top]], ordered[:top])
    if not bottom:
        return base, torch.zeros_like(base)
    return base, _weighted_mean(clusters[order[-bottom:]], 1 - ordered[-bottom:])


def _weighted_mean(
    maps: Float[Tensor, "p n h w"], weights: Float[Tensor, "p n"]
) -> Float[Tensor, "n h w"]:
    """Mean of maps by weights, those below 0 counting as 0; the plain mean if none is above."""
    weights = weights.clamp(min=0)
    total = weights.sum(dim=0)
    shares = torch.where(total > 0, weights / total.where(total > 0, 1), 1 / len(weights))
    return torch.einsum("pn,pnhw->nhw", shares, maps)
