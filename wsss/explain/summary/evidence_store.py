"""The evidence of each image that a summary is made of, one file an image."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float16, Float32

from wsss.artifacts.array_store import Arrays, ArrayStore
from wsss.explain.summary.wrong_evidence import KINDS, Failure

_KINDS = tuple(KINDS)


@dataclass(frozen=True, slots=True)
class ImageEvidence:
    """What was seen in an image, and what of it is wrong."""

    scores: Float32[np.ndarray, " c"]
    """Probability of each class; of a segmenter its share of the pixels."""
    pooled: Float32[np.ndarray, " k"]
    """Mean of the feature vectors of the whole image."""
    failures: tuple[Failure, ...]
    """What is wrong, n of them."""
    maps: Float16[np.ndarray, "n h w"]
    """The evidence of each failure, in [0, 1], at the size of seeds."""
    features: Float32[np.ndarray, "n k"]
    """Mean of the feature vectors under the wrong evidence."""


class EvidenceStore(ArrayStore[ImageEvidence]):
    """A folder of evidence: `<id>.npz`, so that looking at images resumes."""

    kind = "evidence"
    stage = "explain --summary"

    def packed(self, content: ImageEvidence) -> Arrays:
        """Scores and features, and a column for each property of the failures."""
        failures = content.failures
        return {
            "scores": content.scores,
            "pooled": content.pooled,
            "kinds": np.array([_KINDS.index(one.kind) for one in failures], dtype=np.uint8),
            "labels": np.array([one.label for one in failures], dtype=np.uint8),
            "true_labels": np.array([one.true_label for one in failures], dtype=np.uint8),
            "wrongness": np.array([one.wrongness for one in failures], dtype=np.float64),
            "maps": content.maps,
            "features": content.features,
        }

    def unpacked(self, arrays: Mapping[str, np.ndarray]) -> ImageEvidence:
        """The evidence of these."""
        columns = (arrays[name] for name in ("kinds", "labels", "wrongness", "true_labels"))
        return ImageEvidence(
            arrays["scores"],
            arrays["pooled"],
            tuple(
                Failure(_KINDS[kind], int(label), float(wrongness), int(true))
                for kind, label, wrongness, true in zip(*columns, strict=True)
            ),
            arrays["maps"],
            arrays["features"],
        )
