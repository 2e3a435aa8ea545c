"""What to do next: every rule's advice."""

from wsss.report.advice.advice import Advice as Advice
from wsss.report.advice.from_masks import RULES as RULES_WITH_MASKS
from wsss.report.advice.from_tags import RULES as RULES_WITHOUT_MASKS
from wsss.report.results import Results


def all_advice(results: Results) -> list[Advice]:
    """The advice of all rules that apply, first of those that need no ground truth."""
    return [one for rule in (*RULES_WITHOUT_MASKS, *RULES_WITH_MASKS) for one in rule(results)]
