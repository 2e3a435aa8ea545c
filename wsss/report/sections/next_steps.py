"""What to do next: sentences that follow from numbers by rules, and what an audit has found."""

from wsss.report.results import Results
from wsss.report.section import WHAT_NEXT, Section


def next_steps(results: Results) -> Section | None:
    """The advice of the rules that apply."""
    if not results.manifests:
        return None
    return Section(
        name="next_steps",
        title="From the numbers",
        lead="Each sentence follows from a number by a fixed rule. Change one thing at a time: "
        "what is the same is not computed again. What ground truth has told is marked: settings "
        "that are chosen by it are no longer weak.",
        data={"advice": results.advice},
        part=WHAT_NEXT,
    )


def audit(results: Results) -> Section | None:
    """What an audit of this run's data has found, or how to get one."""
    if not results.manifests:
        return None
    return Section(
        name="audit",
        title="From the data",
        data={"audit": results.audit},
        part=WHAT_NEXT,
    )
