"""Backbones, the split classifier and segmenters."""

from wsss.models.affinity_heads import AffinityHeads as AffinityHeads
from wsss.models.backbones import Backbone as Backbone
from wsss.models.backbones import TimmBackbone as TimmBackbone
from wsss.models.classifier import LinearHead as LinearHead
from wsss.models.classifier import SplitClassifier as SplitClassifier
from wsss.models.pair_heads import PairHeads as PairHeads
from wsss.models.pair_networks import PairNetworks as PairNetworks
from wsss.models.reactivated import ReactivatedHead as ReactivatedHead
from wsss.models.segmenter import Segmenter as Segmenter
from wsss.models.vision_gnn import VisionGnnBackbone as VisionGnnBackbone
from wsss.models.vision_gnn import VisionGnnHead as VisionGnnHead
from wsss.models.vit import VitBackbone as VitBackbone
