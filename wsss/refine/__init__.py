"""Refinement of seeds into pseudo masks. Nothing here imports torch: it runs in CPU processes."""

from wsss.refine.dense_crf import DenseCrfEngine as DenseCrfEngine
from wsss.refine.dense_crf import NumbaEngine as NumbaEngine
from wsss.refine.dense_crf import PydensecrfEngine as PydensecrfEngine
from wsss.refine.refinement import CrfRefinement as CrfRefinement
from wsss.refine.refinement import Refinement as Refinement
from wsss.refine.refinement import Threshold as Threshold
