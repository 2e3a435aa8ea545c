"""Vision GNN (Han et al. 2022): an image as a graph of its patches."""

from wsss.models.vision_gnn.backbone import VisionGnnBackbone as VisionGnnBackbone
from wsss.models.vision_gnn.backbone import VisionGnnHead as VisionGnnHead
from wsss.models.vision_gnn.backbone import (
    load_vision_gnn_classifier as load_vision_gnn_classifier,
)
from wsss.models.vision_gnn.graph import Graph as Graph
