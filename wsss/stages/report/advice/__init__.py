"""What to do next: every rule's advice. Rules name settings, which nothing below stages does."""

from wsss.report.advice import Advice
from wsss.report.results import Results
from wsss.stages.report.advice.from_masks import RULES as RULES_WITH_MASKS
from wsss.stages.report.advice.from_tags import RULES as RULES_WITHOUT_MASKS


def all_advice(results: Results) -> list[Advice]:
    """The advice of all rules that apply, first of those that need no ground truth."""
    return [one for rule in (*RULES_WITHOUT_MASKS, *RULES_WITH_MASKS) for one in rule(results)]
