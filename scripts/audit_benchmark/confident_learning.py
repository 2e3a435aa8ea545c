"""cleanlab's confident learning, the reference for wrong and missing tags.

Northcutt et al., Confident Learning: Estimating Uncertainty in Dataset Labels, JAIR 2021. Several
tags an image are a problem of two classes for each tag, as in `cleanlab.multilabel_classification`.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

MISSING = "cleanlab is not installed: no reference (`pip install cleanlab`, Apache-2.0 since 2.9)"


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Probabilities of images by heads that have not seen their tags."""

    ids: list[str]
    class_names: list[str]
    tags: Bool[np.ndarray, "n c"]
    probabilities: Float[np.ndarray, "n c"]


def is_installed() -> bool:
    return find_spec("cleanlab") is not None


def read_out_of_fold(path: Path, probabilities: str = "probabilities") -> OutOfFold:
    """Read `evidence/out_of_fold.npz` of an audit.

    Args:
        path: of the file.
        probabilities: which ones: `probabilities`, given the whole image, or `best_cells`, which
            the audit ranks by.
    """
    with np.load(path, allow_pickle=False) as content:
        return OutOfFold(
            content["ids"].tolist(),
            content["class_names"].tolist(),
            content["tags"].astype(bool),
            content[probabilities],
        )


def suspects(found: OutOfFold, tagged: bool) -> list[tuple[str, str]]:
    """Images and classes by how doubtful the tag is, or that there is none.

    First what confident learning calls an issue, then the rest, each by the quality of the label:
    its probability less the mean one of such labels, which makes classes comparable.

    Args:
        found: of an audit.
        tagged: whether tags are asked about, or that they are missing.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    ranked = []
    for column, name in enumerate(found.class_names):
        labels = found.tags[:, column].astype(int)
        if not 0 < labels.sum() < len(labels):
            continue  # Both labels are needed to learn how certain each is.
        positive = found.probabilities[:, column].astype(np.float64)
        both = np.stack([1 - positive, positive], axis=1)
        is_issue = find_label_issues(labels, both, n_jobs=1)
        quality = get_label_quality_scores(labels, both, adjust_pred_probs=True)
        for row in np.flatnonzero(labels == tagged):
            ranked.append((not is_issue[row], float(quality[row]), found.ids[row], name))
    return [(image, name) for *_, image, name in sorted(ranked)]
