"""LightningModules."""

from wsss.tasks.affinity import AffinityTask as AffinityTask
from wsss.tasks.class_pair_finetuning import PairTuningTask as PairTuningTask
from wsss.tasks.class_pair_heads import OppositionTask as OppositionTask
from wsss.tasks.classification import ClassificationTask as ClassificationTask
from wsss.tasks.pixel_probe import PixelProbeTask as PixelProbeTask
from wsss.tasks.reactivation import ReactivationTask as ReactivationTask
from wsss.tasks.segmentation import SegmentationTask as SegmentationTask
