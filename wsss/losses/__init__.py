"""Losses, one purpose a file."""

from wsss.losses.affinity import affinity_loss as affinity_loss
from wsss.losses.affinity import displacement_loss as displacement_loss
from wsss.losses.class_pairs import pair_logistic_loss as pair_logistic_loss
from wsss.losses.multilabel import balanced_class_weights as balanced_class_weights
from wsss.losses.reactivation import reactivation_loss as reactivation_loss
from wsss.losses.segmentation import CrossEntropy as CrossEntropy
from wsss.losses.segmentation import GeneralisedCrossEntropy as GeneralisedCrossEntropy
from wsss.losses.segmentation import PixelLoss as PixelLoss
from wsss.losses.segmentation import SymmetricCrossEntropy as SymmetricCrossEntropy
from wsss.losses.segmentation import mean_over_labelled as mean_over_labelled
