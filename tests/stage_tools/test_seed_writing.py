"""Writing seeds: which networks a method sees."""

import pytest
import torch

from wsss.artifacts import SeedStore
from wsss.cams.cam import CAM
from wsss.cams.fg_cam import FGCAM
from wsss.data.pyramids import Scales
from wsss.data.source import TRAIN
from wsss.data.sources.synthetic import Synthetic
from wsss.models import LinearHead, SplitClassifier, TimmBackbone
from wsss.models.folded_batch_norm import BatchNorm
from wsss.stage_tools import seed_writing
from wsss.stage_tools.context import Context
from wsss.stage_tools.seed_writing import ImageMaps, write_seeds


@pytest.mark.parametrize(
    ("method", "as_trained"), [(CAM(), False), (FGCAM(target_layer="layer1"), True)]
)
def test_a_method_that_follows_operations_sees_the_network_as_it_was_trained(
    method, as_trained, monkeypatch, tmp_path
):
    source = Synthetic(num_train=2, num_val=1, size_px=64)
    backbone = TimmBackbone("resnet10t")
    model = SplitClassifier(backbone, LinearHead(backbone.num_features, len(source.class_names)))
    monkeypatch.setattr(seed_writing, "trained_classifier", lambda _: model)
    seen = []

    def maps_of(model, _, batch):
        seen.append(any(isinstance(layer, BatchNorm) for layer in model.modules()))
        return [ImageMaps(torch.zeros(len(item.labels), 3, 3)) for item in batch.items]

    trainer = {"accelerator": "cpu", "devices": 1}
    context = Context(source, tmp_path, trainer=trainer, application="localize")
    write_seeds(context, method, maps_of, Scales((1.0,)), 2, "seeds")
    assert {*seen} == {as_trained}
    store = SeedStore(tmp_path / "seeds")
    assert all(store.has(item) for item in source.items(TRAIN))
