"""Types of the settings of a run.

The values, and what they mean, are in `configs/run.yaml`. The dataclasses are no structured configs
of Hydra, which know neither a choice of words nor "a number or a list"; pydantic knows both.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, NonNegativeInt

Part = dict[str, Any]
"""Settings of a group: arguments of their `_target_`."""


@dataclass(frozen=True)
class DenseCrfSettings:
    """Those of every dense CRF in the run."""

    seeds_sxy_px: float
    device: str | None
    gpu_target: str | None


@dataclass(frozen=True)
class RunSettings:
    """A run; parts that may be null are stages that a method switches on, and bounds."""

    stages: list[str] | None
    work_dir: str
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    workers: NonNegativeInt | None
    keep_images_mib: NonNegativeInt
    max_failed_fraction: Annotated[float, Field(ge=0, le=1)]
    tf32: bool
    bound: bool
    dense_crf: DenseCrfSettings
    background_threshold: Part
    background_score: Part
    data: Part
    backbone: Part
    cam: Part
    segmenter: Part
    trainer: Part
    logger: Part
    classify: Part
    localize: Part
    refine: Part
    segment: Part
    evaluate: Part
    report: Part
    reactivate: Part | None = None
    oppose: Part | None = None
    affinity: Part | None = None
    propagate: Part | None = None
    probe: Part | None = None
    propose: Part | None = None
    oracle_bound: Part | None = None
    oracle_bound_same_schedule: Part | None = None


MEANINGS = {"work_dir": "a folder, such as `runs`"}
"""What a setting stands for, where that is more than its type."""

SIGNATURES = {"trainer": "pytorch_lightning.Trainer"}
"""Targets of parts without `_target_`, whose settings are keyword arguments."""
