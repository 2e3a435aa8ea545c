"""Mean IoU from stage to stage."""

from wsss.report import formatting as text
from wsss.report.results import Results
from wsss.report.section import Section


def funnel(results: Results) -> Section | None:
    """The mean IoU of seeds, pseudo masks and segmenter as bars."""
    subjects = results.scores.subjects
    if not subjects:
        return None
    oracles = [f"“{subject.label}”" for subject in subjects if subject.oracle]
    opened = (
        "Ground-truth masks were opened to compute these numbers and to be shown in the gallery."
    )
    honesty = f"{opened} They chose no setting of what is scored here."
    if oracles:
        honesty = (
            f"{opened} They also chose a setting of {text.words(oracles)}, marked oracle: a bound "
            "to compare with, not a result of weak supervision."
        )
    return Section(
        name="funnel",
        title="From seeds to segmenter",
        lead="Mean intersection over union, in percent, of what each stage made. "
        "Train and val are different images: compare within a split.",
        data={"subjects": subjects, "honesty": honesty},
    )
