"""How well a ranking finds what was planted."""

from collections.abc import Collection, Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from audit_benchmark.cases import Key, found_keys

Numbers = dict[str, float]


def precision_at_planted(ranking: Sequence[Key], planted: Collection[Key]) -> float:
    """Share of planted faults among as many of the best findings; what is not listed is missed."""
    return len({*ranking[: len(planted)]} & {*planted}) / len(planted)


def scores(check: str, content: Mapping[str, Any], planted: Collection[Key]) -> Numbers:
    """Precision at the number of planted faults, and recall and precision of what is flagged.

    Args:
        check: the check that should find them.
        content: of `audit.json` for this check.
        planted: what should be found.
    """
    ranking = found_keys(check, content["findings"])
    flagged = found_keys(check, [one for one in content["findings"] if one["flagged"]])
    hits = len({*flagged} & {*planted})
    found = {
        "planted": len(planted),
        "precision": precision_at_planted(ranking, planted),
        "flagged": len(flagged),
        "recall": hits / len(planted),
        "flagged_precision": hits / len(flagged) if flagged else 0.0,
    }
    if len(planted) == 1:  # A class among classes: its rank says more than whether it is first.
        places = [place for place, key in enumerate(ranking, start=1) if key in planted]
        found["rank"] = places[0] if places else len(ranking) + 1
    return found


def false_alarms(checks: Mapping[str, Mapping[str, Any]]) -> Numbers:
    """Number of flagged findings of every check."""
    return {
        kind: sum(one["flagged"] for one in content["findings"]) for kind, content in checks.items()
    }


def over_seeds(runs: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation (of the sample) of every number that any run has."""
    names = dict.fromkeys(name for run in runs for name in run)
    values = {name: [run[name] for run in runs if name in run] for name in names}
    return {name: (mean(own), stdev(own) if len(own) > 1 else 0.0) for name, own in values.items()}
