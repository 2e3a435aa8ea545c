"""Fully connected conditional random fields behind one engine interface."""

from wsss.refine.dense_crf.engine import DenseCrfEngine as DenseCrfEngine
from wsss.refine.dense_crf.numba_engine import NumbaEngine as NumbaEngine
from wsss.refine.dense_crf.pydensecrf import PydensecrfEngine as PydensecrfEngine
