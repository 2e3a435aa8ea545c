"""Rules that take numbers computed with ground truth (oracle); docs/report.md lists them."""

from collections.abc import Callable, Iterator

import numpy as np

from wsss.report.advice import Advice
from wsss.report.bound import best_against_best
from wsss.report.formatting import percent
from wsss.report.frequent_confusions import frequent_confusions
from wsss.report.read_scores import KINDS_OF_SEEDS, PSEUDO_MASKS, SEGMENTER
from wsss.report.results import Results

LOW_COVER = 0.5
LOW_PRECISION = 0.5
WORTH_A_THRESHOLD = 0.03
WORSE = 0.01
GENERALISES_BADLY = 0.1
MIN_OBJECTS = 5
"""Objects of a size that a mean is taken of."""
SMALL_ARE_WORSE = 0.5
NEAR_BOUND, FAR_FROM_BOUND = 0.95, 0.8
OFTEN_CONFUSED = 0.15
MOST_CONFUSIONS, LOOKED_AT = 2, 50

Rule = Callable[[Results], Iterator[Advice]]


def seeds(results: Results) -> Iterator[Advice]:
    """Seeds find too little of the objects, or too much beside them."""
    kind = next((one for one in reversed(KINDS_OF_SEEDS) if one in results.confusions), None)
    if kind is None:
        return
    counts, name = results.confusions[kind], kind.replace("_", " ").capitalize()
    hits = int(np.trace(counts[1:, 1:-1]))
    cover, precision = (hits / max(1, int(of.sum())) for of in (counts[1:], counts[:, 1:-1]))
    if cover < LOW_COVER:
        todo = (
            "Other maps reach further: try `cam=fused` or `cam=layercam`."
            if "probe" in results.manifests or "propagate" in results.manifests
            else "Try `refine=probe_crf`, which learns from the first masks of all images."
        )
        yield Advice(f"{name} cover {percent(cover)} % of the objects' pixels.", todo, oracle=True)
    if precision < LOW_PRECISION:
        yield Advice(
            f"Of the pixels that {name.lower()} give to a class, {percent(precision)} % are right.",
            "They spill over: compare their background thresholds in the gallery, and try "
            "`refine=affinity_crf`, which stops at boundaries.",
            oracle=True,
        )


def threshold(results: Results) -> Iterator[Advice]:
    """Another background threshold would do much better."""
    for kind in KINDS_OF_SEEDS:
        best, fixed = results.scores.get(f"{kind}_oracle"), results.scores.get(kind)
        if best is None or fixed is None or best.miou is None or fixed.miou is None:
            continue
        if (gain := best.miou - fixed.miou) > WORTH_A_THRESHOLD:
            yield Advice(
                f"The best background threshold of the {kind.replace('_', ' ')} would gain "
                f"{percent(gain)} points of mIoU over the fixed one.",
                "Do not copy it, which would train by masks: rules that read maps alone "
                "(`refine/threshold=otsu_mean`, `pooled`) choose one for each image or data set.",
                oracle=True,
            )


def refinement(results: Results) -> Iterator[Advice]:
    """Refinement makes seeds worse."""
    masks = results.scores.get(PSEUDO_MASKS)
    before = [one for kind in KINDS_OF_SEEDS if (one := results.scores.get(kind)) is not None]
    if masks is None or not before or masks.miou is None or before[-1].miou is None:
        return
    if (loss := before[-1].miou - masks.miou) > WORSE:
        yield Advice(
            f"Pseudo masks are {percent(loss)} points of mIoU worse than {before[-1].label}.",
            "The CRF follows colours too far: lower `dense_crf.seeds_sxy_px`, or try "
            "`refine=none` beside it.",
            oracle=True,
        )


def generalisation(results: Results) -> Iterator[Advice]:
    """The segmenter stays below the masks it learnt from."""
    masks, segmenter = results.scores.get(PSEUDO_MASKS), results.scores.get(SEGMENTER)
    if masks is None or segmenter is None or masks.miou is None or segmenter.miou is None:
        return
    if (loss := masks.miou - segmenter.miou) > GENERALISES_BADLY:
        yield Advice(
            f"The segmenter is {percent(loss)} points of mIoU below its pseudo masks, though on "
            "other images.",
            "More images, `segment.copy_paste=0.5` or `segment.classifier_weight=1` may help; with "
            "`bound=true` you see what the network can reach.",
            oracle=True,
        )


def object_size(results: Results) -> Iterator[Advice]:
    """Small objects are found much worse."""
    for subject, bins in results.sizes.items():
        scored = [one for one in bins if one.iou is not None and one.count >= MIN_OBJECTS]
        if len(scored) < 2:
            continue
        small, best = scored[0], max(scored, key=lambda one: one.iou or 0.0)
        if (small.iou or 0.0) < SMALL_ARE_WORSE * (best.iou or 0.0):
            yield Advice(
                f"Objects of {small.name} of the image reach {percent(small.iou)} % IoU by "
                f"{results.label(subject)}, those of {best.name} {percent(best.iou)} %.",
                "Larger inputs show small objects in more cells: try "
                "`localize.scales.factors=[1.0,1.5,2.0]`, or more of `evaluate.scales.factors`.",
                oracle=True,
            )
            return


def confused(results: Results) -> Iterator[Advice]:
    """A class is often taken for another."""
    for subject in (SEGMENTER, PSEUDO_MASKS):
        if subject not in results.confusions:
            continue
        counts = results.confusions[subject]
        among = [
            one
            for one in frequent_confusions(counts, LOOKED_AT)
            if one.true and 0 < one.taken_for < len(counts) and one.share >= OFTEN_CONFUSED
        ]
        for one in among[:MOST_CONFUSIONS]:
            true, other = results.class_name(one.true), results.class_name(one.taken_for)
            yield Advice(
                f"{percent(one.share)} % of the pixels of “{true}” are taken for “{other}” by "
                f"{results.label(subject)}.",
                f"Filter the gallery by “{true}”; if the classifier mixes them up, too, more "
                "images that show one of them alone help most.",
                oracle=True,
            )
        if among:
            return


def bound(results: Results) -> Iterator[Advice]:
    """Whether labels or the network are the limit."""
    best = best_against_best(results.weak_over_bound)
    if best is None:
        return
    if best.ratio >= NEAR_BOUND:
        yield Advice(
            f"Weak labels reach {percent(best.ratio)} % of what true masks reach.",
            "Better masks can gain little: a larger network or more images can.",
            oracle=True,
        )
    elif best.ratio < FAR_FROM_BOUND:
        yield Advice(
            f"Weak labels reach {percent(best.ratio)} % of what true masks reach.",
            "Masks are the limit: work on seeds and refinement before the segmenter.",
            oracle=True,
        )


RULES: tuple[Rule, ...] = (
    seeds, threshold, refinement, generalisation, object_size, confused, bound,
)  # fmt: skip
"""In the order of the pipeline."""
