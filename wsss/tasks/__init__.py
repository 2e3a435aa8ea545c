"""LightningModules."""

from wsss.tasks.classification import ClassificationTask as ClassificationTask
from wsss.tasks.segmentation import SegmentationTask as SegmentationTask
