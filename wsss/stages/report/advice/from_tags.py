"""Rules that take numbers without ground truth; docs/report.md lists them with their bounds."""

from collections.abc import Callable, Iterator

from wsss.report.advice import Advice
from wsss.report.formatting import percent
from wsss.report.results import PREDICTED_SHARE, PSEUDO_SHARE, Results
from wsss.wording import plural

LOW_TAG_MAP = 0.8
LOW_FOREGROUND, HIGH_FOREGROUND = 0.05, 0.7
MUCH_VOID = 0.2
LOW_AGREEMENT = 0.5
MANY_RESTORED = 0.1
FORGOTTEN = 0.5
"""Share of a class in predictions, of its share in pseudo masks, below which it is forgotten."""
SEEN_SHARE = 0.002
"""Classes with a smaller share of the pseudo masks are too rare to judge."""
INSEPARABLE = 0.9
STILL_RISING = 0.02
MOST = 3
"""Classes or pairs that one rule names."""

Rule = Callable[[Results], Iterator[Advice]]


def tags(results: Results) -> Iterator[Advice]:
    """The classifier knows the tags badly."""
    score = results.number("classify", "val_map")
    if score is not None and score < LOW_TAG_MAP:
        yield Advice(
            f"The classifier's mAP on tags is {percent(score)} %: maps of a class that it does not "
            "recognise lie anywhere.",
            "Try another network (`backbone=efficientnet_lite0_lite2`, `classify=finetune` on a "
            "GPU), and look for wrong tags with `wsss audit`.",
        )


def foreground(results: Results) -> Iterator[Advice]:
    """Pseudo masks are almost empty, or almost full."""
    share = results.number("refine", "foreground_fraction")
    if share is not None and share < LOW_FOREGROUND:
        yield Advice(
            f"Pseudo masks give {percent(share)} % of the pixels to objects.",
            "The background threshold may be too high: move it in the gallery, then try "
            "`refine/threshold=pooled` or a lower fixed one.",
        )
    if share is not None and share > HIGH_FOREGROUND:
        yield Advice(
            f"Pseudo masks give {percent(share)} % of the pixels to objects.",
            "The background threshold may be too low: move it in the gallery, then try "
            "`refine/threshold=otsu` or a higher fixed one.",
        )


def void(results: Results) -> Iterator[Advice]:
    """Many pixels have no label."""
    share = results.number("refine", "void_fraction")
    if share is not None and share > MUCH_VOID:
        yield Advice(
            f"{percent(share)} % of the pixels of pseudo masks have no label, and teach nothing.",
            "Try a lower `refine.method.min_confidence`.",
        )


def agreement(results: Results) -> Iterator[Advice]:
    """Refinement leaves little of the seeds."""
    score = results.number("refine", "seed_agreement")
    if score is not None and score < LOW_AGREEMENT:
        todo = (
            "Look at both in the gallery; if the masks spread, lower `dense_crf.seeds_sxy_px`."
            if "probe" in results.manifests
            else "Look at both in the gallery; sharper seeds (`refine=probe_crf`, `cam=fused`) "
            "leave less to the CRF."
        )
        yield Advice(f"Seeds and pseudo masks agree in {percent(score)} % (mean IoU) only.", todo)


def restored(results: Results) -> Iterator[Advice]:
    """Tags vanish from their masks."""
    count, images = (results.number("refine", one) for one in ("images_restored", "images"))
    if count and images and count / images > MANY_RESTORED:
        yield Advice(
            f"In {percent(count / images)} % of the images refinement would have lost a tag, and "
            "a few pixels were kept for it.",
            "Objects may be too small for the maps: try `localize.scales.factors=[1.0,1.5,2.0]`, "
            "or a lower `dense_crf.seeds_sxy_px`.",
        )


def forgotten(results: Results) -> Iterator[Advice]:
    """The segmenter predicts a class far less often than its masks have it."""
    pseudo, predicted = (results.shares.get(one, ()) for one in (PSEUDO_SHARE, PREDICTED_SHARE))
    pairs = [*zip(pseudo, predicted, strict=False)][1:]
    lost = [
        (after / before, label)
        for label, (before, after) in enumerate(pairs, start=1)
        if before >= SEEN_SHARE and after < FORGOTTEN * before
    ]
    for _, label in sorted(lost)[:MOST]:
        before, after = pairs[label - 1]
        yield Advice(
            f"The segmenter gives “{results.class_name(label)}” {percent(after)} % of the "
            f"validation pixels; pseudo masks gave it {percent(before)} % of the training pixels.",
            "Where both splits show it alike, it is being forgotten: try more "
            "`segment.max_epochs`, or `segment.copy_paste=0.5`.",
        )


def inseparable(results: Results) -> Iterator[Advice]:
    """Classes that tags cannot tell apart."""
    for pair in [one for one in results.pairs if one.of_first >= INSEPARABLE][:MOST]:
        first, second = results.class_name(pair.first), results.class_name(pair.second)
        yield Advice(
            f"{percent(pair.of_first)} % of the images of “{first}” show “{second}” as well "
            f"({plural(pair.together, 'image')}): tags do not tell which pixels are whose.",
            f"Add images of “{first}” without “{second}”, and look at its maps in the gallery.",
        )


def still_rising(results: Results) -> Iterator[Advice]:
    """The segmenter's training ended early."""
    curves = {curve.name: curve.points for curve in results.curves.get("segment", ())}
    points = curves.get("pseudo_miou", ())
    if len(points) < MOST:
        return
    at = len(points) - 1 - max(1, len(points) // 4)
    gain = points[-1][1] - points[at][1]
    if gain > STILL_RISING:
        yield Advice(
            f"The segmenter's agreement with pseudo masks still rose by {percent(gain)} points in "
            "the last quarter of its training.",
            "Train it longer: `segment.max_epochs`.",
        )


def failed(results: Results) -> Iterator[Advice]:
    """Images that stages went on without."""
    broken = {one for manifest in results.manifests.values() for one in manifest.failures}
    if broken:
        yield Advice(
            f"{plural(len(broken), 'image')} could not be processed; the reasons are below.",
            "Mend the files and run again: what is finished is kept.",
        )


RULES: tuple[Rule, ...] = (
    tags, foreground, void, agreement, restored, forgotten, inseparable, still_rising, failed,
)  # fmt: skip
"""In the order of the pipeline."""
