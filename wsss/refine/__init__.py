"""Refinement of seeds into pseudo masks; each part is imported when it is first asked for.

Nothing here imports torch: it runs in CPU processes.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsss.refine.background import Background as Background
    from wsss.refine.background import ComplementBackground as ComplementBackground
    from wsss.refine.background import LevelBackground as LevelBackground
    from wsss.refine.background import PowerBackground as PowerBackground
    from wsss.refine.confident_labels import ConfidentLabels as ConfidentLabels
    from wsss.refine.dense_crf.engine import DenseCrfEngine as DenseCrfEngine
    from wsss.refine.dense_crf.numba_engine import NumbaEngine as NumbaEngine
    from wsss.refine.dense_crf.pydensecrf import PydensecrfEngine as PydensecrfEngine
    from wsss.refine.hypercolumn_probe import HypercolumnProbe as HypercolumnProbe
    from wsss.refine.proposal_votes import ProposalVotes as ProposalVotes
    from wsss.refine.refinement import CrfRefinement as CrfRefinement
    from wsss.refine.refinement import Refinement as Refinement
    from wsss.refine.refinement import Threshold as Threshold
    from wsss.refine.thresholds import FixedExponent as FixedExponent
    from wsss.refine.thresholds import FixedThreshold as FixedThreshold
    from wsss.refine.thresholds import Otsu as Otsu
    from wsss.refine.thresholds import OtsuMean as OtsuMean
    from wsss.refine.thresholds import Pooled as Pooled
    from wsss.refine.thresholds import ThresholdRule as ThresholdRule

_MODULES = {
    "Background": "background",
    "ComplementBackground": "background",
    "LevelBackground": "background",
    "PowerBackground": "background",
    "ConfidentLabels": "confident_labels",
    "DenseCrfEngine": "dense_crf.engine",
    "NumbaEngine": "dense_crf.numba_engine",
    "PydensecrfEngine": "dense_crf.pydensecrf",
    "HypercolumnProbe": "hypercolumn_probe",
    "ProposalVotes": "proposal_votes",
    "CrfRefinement": "refinement",
    "Refinement": "refinement",
    "Threshold": "refinement",
    "FixedExponent": "thresholds",
    "FixedThreshold": "thresholds",
    "Otsu": "thresholds",
    "OtsuMean": "thresholds",
    "Pooled": "thresholds",
    "ThresholdRule": "thresholds",
}
"""Where each class is: settings name them as `wsss.refine.Otsu`."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
