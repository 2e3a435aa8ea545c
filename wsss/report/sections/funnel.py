"""Mean IoU from stage to stage."""

from wsss.report import formatting as text
from wsss.report.bound import SCORES
from wsss.report.results import Results
from wsss.report.section import DID_IT_WORK, Section

MARKED = (
    "What is marked “saw masks” came of weights that were trained with masks, of other images: "
    "compare it with its like, not with what image tags alone have reached."
)
BOUND = (
    "The bound learnt from these masks: it is what the same segmenter reaches with them, and "
    "weak/bound how near to it weak labels come. With the same schedule for both the figure "
    "flatters: a schedule that ends before the errors of pseudo masks are learnt ends before true "
    "masks are, too."
)


def funnel(results: Results) -> Section | None:
    """The classifier's mAP, and the mean IoU of seeds, masks, segmenter and bound, as bars."""
    subjects = results.scores.subjects
    tag_map = results.number("classify", "val_map")
    if not subjects and tag_map is None:
        return None
    oracles = [f"“{one.label}”" for one in subjects if one.oracle and one.name not in SCORES]
    opened = (
        "Ground-truth masks were opened to compute these numbers and to be shown in the gallery."
    )
    honesty = f"{opened} They chose no setting of what is scored here."
    if not subjects:
        honesty = "There is no ground truth: masks are judged by nothing but each other, below."
    if oracles:
        honesty = (
            f"{opened} They also chose a setting of {text.words(oracles)}, marked oracle: a bound "
            "to compare with, not a result of weak supervision."
        )
    if any(one.saw_masks for one in results.manifests.values()):
        honesty += f" {MARKED}"
    if results.has_bound:
        honesty += f" {BOUND}"
    return Section(
        name="funnel",
        title="From tags to segmenter",
        lead="Mean average precision of the classifier on tags, and mean intersection over union "
        "of the masks that each stage made, in percent. Train and val are different images: "
        "compare within a split.",
        data={
            "tag_map": tag_map,
            "subjects": subjects,
            "honesty": honesty,
            "weak_over": {one.bound: one for one in results.weak_over_bound},
        },
        part=DID_IT_WORK,
    )
