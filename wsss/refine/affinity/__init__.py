"""Affinity of pixels, learned or training-free, and the random walk on it.

It needs torch and is not exported by `wsss.refine`, which CPU processes import.
"""

from wsss.refine.affinity.attention_affinity import AttentionAffinity as AttentionAffinity
from wsss.refine.affinity.boundaries import boundary_affinity as boundary_affinity
from wsss.refine.affinity.feature_affinity import FeatureAffinity as FeatureAffinity
from wsss.refine.affinity.learned_affinity import LearnedAffinity as LearnedAffinity
from wsss.refine.affinity.paths import pair_offsets as pair_offsets
from wsss.refine.affinity.pixel_pair_affinity import PairAffinity as PairAffinity
from wsss.refine.affinity.walk import random_walk as random_walk
