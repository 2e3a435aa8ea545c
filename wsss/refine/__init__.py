"""Refinement of seeds into pseudo masks. Nothing here imports torch: it runs in CPU processes."""

from wsss.refine.background import Background as Background
from wsss.refine.background import LevelBackground as LevelBackground
from wsss.refine.background import PowerBackground as PowerBackground
from wsss.refine.confident_labels import ConfidentLabels as ConfidentLabels
from wsss.refine.dense_crf import DenseCrfEngine as DenseCrfEngine
from wsss.refine.dense_crf import NumbaEngine as NumbaEngine
from wsss.refine.dense_crf import PydensecrfEngine as PydensecrfEngine
from wsss.refine.refinement import CrfRefinement as CrfRefinement
from wsss.refine.refinement import Refinement as Refinement
from wsss.refine.refinement import Threshold as Threshold
from wsss.refine.thresholds import FixedExponent as FixedExponent
from wsss.refine.thresholds import FixedThreshold as FixedThreshold
from wsss.refine.thresholds import Otsu as Otsu
from wsss.refine.thresholds import OtsuMean as OtsuMean
from wsss.refine.thresholds import Pooled as Pooled
from wsss.refine.thresholds import ThresholdRule as ThresholdRule
