"""Two classes that are always together."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from jaxtyping import Bool

from wsss.auditing.finding import CheckResult, Finding, ranked

TOGETHER, OVERLAP, LEAST_IMAGES, CHANCE = 0.8, 0.5, 5, 0.01
RULE = (
    "Pairs of classes are ranked by the share of the rarer one's images that also have the other "
    f"tag, times the overlap of their maps there; flagged is a pair with {TOGETHER:.0%} together "
    f"in {LEAST_IMAGES} images or more, beyond chance (p < {CHANCE:g} for all pairs), whose maps "
    f"overlap by {OVERLAP:.0%} or more."
)


def inseparable_classes(
    tags: Bool[np.ndarray, "n c"],
    class_names: tuple[str, ...],
    overlaps: Mapping[tuple[int, int], float],
    most: int,
) -> CheckResult:
    """Findings of the kind `inseparable_classes`.

    The score is the share of the rarer class's images with both tags times the mean overlap of the
    two maps there. Chance is Fisher's exact test of the table of the two tags, one-sided, times the
    number of pairs (Bonferroni).

    Args:
        tags: of all images.
        class_names: of the classes.
        overlaps: by pair of classes (first < second), mean `Σ min / Σ max` of the maps in images
            with both tags; pairs without such images are left out.
        most: how many findings to keep at least.
    """
    from scipy.stats import hypergeom

    count = tags.sum(axis=0)
    both = tags.T.astype(np.int64) @ tags.astype(np.int64)
    pairs = [*combinations(range(len(class_names)), 2)]
    findings = []
    for first, second in pairs:
        number = int(both[first, second])
        if not number or (first, second) not in overlaps:
            continue
        share = number / min(count[first], count[second])
        chance = float(hypergeom.sf(number - 1, len(tags), count[first], count[second]))
        overlap = overlaps[first, second]
        names = class_names[first], class_names[second]
        findings.append(
            Finding(
                "inseparable_classes",
                float(share * overlap),
                bool(
                    number >= LEAST_IMAGES
                    and share >= TOGETHER
                    and chance * len(pairs) < CHANCE
                    and overlap >= OVERLAP
                ),
                f"Add images that show {names[0]} without {names[1]}, or join the two classes.",
                label=names[0],
                other=names[1],
                evidence={
                    "images_with_both": number,
                    "together": float(share),
                    "map_overlap": float(overlap),
                    "chance": min(1.0, chance * len(pairs)),
                },
            )
        )
    return CheckResult(len(pairs), RULE, ranked(findings, most))
