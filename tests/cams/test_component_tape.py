"""Recorded passes of whole networks, and operations that no rule is known for."""

import pytest
import torch
from torch import nn

from wsss.cams.fg_cam import FGCAM
from wsss.cams.fg_cam.component_tape import recording
from wsss.errors import WsssError
from wsss.models import SplitClassifier, TimmBackbone


@pytest.mark.parametrize("name", ["resnet18", "tf_efficientnet_lite0"])
def test_networks_of_timm_are_recorded_unchanged_and_keep_most_of_the_sum(name):
    torch.manual_seed(0)
    backbone = TimmBackbone(name, output_stride=16)
    model = SplitClassifier.linear(backbone, 4).double().eval()
    images = torch.rand(1, 3, 48, 32, dtype=torch.float64)
    with torch.no_grad():
        expected = model.features(images)
        with recording(model.features, images) as tape:
            features = model.features(images)
        torch.testing.assert_close(features, expected, rtol=0, atol=0)
        # Components of one sign cannot cancel, so a share lost anywhere would be missed.
        components = features.abs()[None]
        (carried,) = tape.carry_back(features, components, 1)
    assert carried.shape == images.shape
    assert float(carried.sum() / components.sum()) == pytest.approx(1, abs=0.05)
    fine = FGCAM()(model, images, torch.tensor([[0, 3]]))
    assert fine.shape == (1, 2, 12, 8)


class Gate(nn.Module):
    def forward(self, x):
        return x * x.mean(dim=(2, 3), keepdim=True).sigmoid()


@pytest.mark.parametrize("use", ["check", "call"])
def test_an_operation_without_a_rule_is_refused_with_the_modules_name(
    classifier, use, toy_images, toy_classes
):
    model = classifier(lambda: nn.Conv2d(3, 5, 3), Gate)
    method = FGCAM(target_layer=0)
    with pytest.raises(WsssError, match=r"^FGCAM: .*mul in network\.1 \(Gate\)"):
        method.check(model) if use == "check" else method(model, toy_images, toy_classes % 3)
    FGCAM(target_layer=1).check(model)
