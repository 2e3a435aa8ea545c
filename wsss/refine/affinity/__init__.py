"""Affinity of pixels, learned or found, and the random walk between them.

Needs torch, and is therefore no part of `wsss.refine`, which CPU processes import.
"""

from wsss.refine.affinity.attention import AttentionAffinity as AttentionAffinity
from wsss.refine.affinity.boundaries import boundary_affinity as boundary_affinity
from wsss.refine.affinity.features import FeatureAffinity as FeatureAffinity
from wsss.refine.affinity.learned import LearnedAffinity as LearnedAffinity
from wsss.refine.affinity.method import PairAffinity as PairAffinity
from wsss.refine.affinity.paths import pair_offsets as pair_offsets
from wsss.refine.affinity.walk import random_walk as random_walk
