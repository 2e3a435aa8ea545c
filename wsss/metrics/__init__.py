"""Scores of label masks."""

from wsss.metrics.segmentation import MeanIoU as MeanIoU
