"""The evidence of each image that a summary is made of, one file an image."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float16, Float32

from wsss.artifacts import as_written, atomic, opened
from wsss.artifacts.store import Named, Store
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


class EvidenceStore(Store):
    """A folder of evidence: `<id>.npz`, so that looking at images resumes."""

    suffix = ".npz"
    kind = "evidence"
    stage = "explain --summary"

    def write(self, item: Named, evidence: ImageEvidence) -> None:
        """Write the evidence of an item."""
        failures = evidence.failures
        with atomic(self.path(item)) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(
                stream,
                scores=evidence.scores,
                pooled=evidence.pooled,
                kinds=np.array([_KINDS.index(one.kind) for one in failures], dtype=np.uint8),
                labels=np.array([one.label for one in failures], dtype=np.uint8),
                true_labels=np.array([one.true_label for one in failures], dtype=np.uint8),
                wrongness=np.array([one.wrongness for one in failures], dtype=np.float64),
                maps=evidence.maps,
                features=evidence.features,
            )

    def read(self, item: Named) -> ImageEvidence:
        """Read the evidence of an item.

        Raises:
            WsssError: there is none of this item.
            DamagedFileError: it cannot be read.
        """
        path = self.there(item)
        with as_written(path), opened(path) as content:
            columns = (content[name] for name in ("kinds", "labels", "wrongness", "true_labels"))
            return ImageEvidence(
                content["scores"],
                content["pooled"],
                tuple(
                    Failure(_KINDS[kind], int(label), float(wrongness), int(true))
                    for kind, label, wrongness, true in zip(*columns, strict=True)
                ),
                content["maps"],
                content["features"],
            )
