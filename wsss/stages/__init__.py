"""The stages of a run, one module each."""

CHAIN = (
    "classify",
    "reactivate",
    "oppose",
    "localize",
    "affinity",
    "propagate",
    "probe",
    "propose",
    "refine",
    "segment",
    "evaluate",
    "oracle_bound",
    "oracle_bound_same_schedule",
    "report",
)
"""Every stage in its order; a stage names the ones it needs itself, as `INPUTS`.

Some stages belong to one method. Without settings they are no part of a run. Those of the bound
(`wsss.report.bound.BOUNDS`) are part of it with `bound=true` only.
"""

GOALS = ("segment", "evaluate", "oracle_bound", "oracle_bound_same_schedule", "report")
"""What a run is made for: it has these, and the stages before that they are made of."""

DATA_CHECK = "check"
"""The folder of data checks, beside those of the stages."""
