import cv2
import numpy as np
import pytest
import torch
from pytorch_grad_cam import GradCAM as ReferenceGradCAM
from pytorch_grad_cam.utils.model_targets import SemanticSegmentationTarget
from torch import nn

from wsss.errors import InvalidOptionError, WsssError
from wsss.explain.segments.regions import region_mask
from wsss.explain.segments.seg_gradcam import seg_gradcam
from wsss.models import Segmenter


class Tiny(nn.Module):
    """A segmenter of two linear layers and a square between them, whose gradient is known."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Sequential()
        self.network.encoder = nn.Conv2d(3, 4, 2, stride=2)
        self.network.mix = nn.Conv2d(4, 4, 3, padding=1)
        self.network.head = nn.Conv2d(4, 3, 1)
        self.network.up = nn.Upsample(scale_factor=2)

    def forward(self, images):
        net = self.network
        return net.up(net.head(net.mix(net.encoder(images)).square()))


@pytest.fixture
def tiny():
    return Tiny().double().eval().requires_grad_(False)


@pytest.fixture
def image():
    return torch.rand(1, 3, 8, 10, generator=torch.Generator().manual_seed(1)).double()


@pytest.fixture(scope="module")
def segmenter():
    torch.manual_seed(0)
    model = Segmenter("DeepLabV3Plus", "tf_efficientnet_lite0", "package", 3, decoder_channels=16)
    with torch.no_grad():  # What speaks against class 2 speaks for 3: one map has evidence.
        weight = model.network.segmentation_head[0].weight
        weight[3] = -weight[2]
    return model.eval()


def region(height, width, rows, columns):
    found = torch.zeros(height, width, dtype=torch.bool)
    found[rows, columns] = True
    return found


def test_the_map_is_that_of_the_formula_in_float64(tiny, image):
    """The head is linear in squared features B: ∂y/∂B² is its weight, ∂B/∂A the convolution's."""
    where = region(8, 10, slice(2, 7), slice(3, 6))
    found = seg_gradcam(tiny, image, [1, 2], [where, where], "encoder")
    a = tiny.network.encoder(image)[0]
    b = tiny.network.mix(a[None])[0]
    times = where.reshape(4, 2, 5, 2).sum((1, 3))  # How often a cell is in the region.
    kernel, head = tiny.network.mix.weight, tiny.network.head.weight[:, :, 0, 0]
    for index, label in enumerate((1, 2)):
        gradient = torch.zeros(4, 4 + 2, 5 + 2).double()
        for row in range(4):
            for column in range(5):
                by_b = times[row, column] * head[label] * 2 * b[:, row, column]
                spread = torch.einsum("o,okuv->kuv", by_b, kernel)
                gradient[:, row : row + 3, column : column + 3] += spread
        weights = gradient[:, 1:-1, 1:-1].mean((1, 2))
        expected = torch.einsum("k,khw->hw", weights, a).relu()
        torch.testing.assert_close(found[index], expected, rtol=1e-12, atol=1e-14)


def test_evidence_of_regions_adds_up_before_the_relu(tiny, image):
    left, right = (region(8, 10, slice(None), part) for part in (slice(0, 4), slice(4, 10)))
    maps = []
    for bias in (1.0, -1.0):
        with torch.no_grad():
            tiny.network.head.weight.copy_(bias * Tiny().double().network.head.weight)
        maps.append(seg_gradcam(tiny, image, [1] * 3, [left, right, left | right]))
    signed = maps[0] - maps[1]  # ReLU(x) − ReLU(−x) = x.
    torch.testing.assert_close(signed[0] + signed[1], signed[2], rtol=1e-10, atol=1e-12)


def stretched(heat):
    return (heat - heat.min()) / (heat.max() - heat.min() + 1e-7)


@pytest.mark.parametrize("layer", ["encoder.model.blocks.6", "encoder.model.blocks.4"])
def test_grad_cam_of_a_semantic_segmentation_target(segmenter, layer):
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(2))
    where = region(64, 96, slice(10, 40), slice(20, 70))
    ours = seg_gradcam(segmenter, image, [0, 1, 2, 3], [where] * 4, layer)
    with ReferenceGradCAM(segmenter, [segmenter.network.get_submodule(layer)]) as reference:
        for label, own in enumerate(ours):
            theirs = reference(image, [SemanticSegmentationTarget(label, where.float().numpy())])
            # The reference stretches the rectified map, enlarges it, and stretches it again.
            expected = stretched(cv2.resize(stretched(own.numpy()), (96, 64)))
            np.testing.assert_allclose(theirs[0], expected, atol=2e-4)
    assert ours[2:].amax((1, 2)).max() > 0  # A map without evidence would compare nothing.


def test_the_encoders_last_map_is_that_of_its_last_module(segmenter):
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(2))
    where = region(64, 96, slice(10, 40), slice(20, 70))
    segmenter.requires_grad_(True).zero_grad()
    first = seg_gradcam(segmenter, image, [1], [where])
    last = seg_gradcam(segmenter, image, [1], [where], "encoder.model.blocks.6")
    torch.testing.assert_close(first, last)
    assert all(one.requires_grad and one.grad is None for one in segmenter.parameters())
    assert not segmenter.network.encoder._forward_hooks


@pytest.mark.parametrize(
    ("layer", "said"),
    [("blocks.6", "encoder.model.blocks.6"), ("", "no such layer"), ("segmentation_head.2", "")],
)
def test_layers_that_are_none_are_refused(segmenter, layer, said):
    image = torch.zeros(1, 3, 32, 32)
    if layer == "segmentation_head.2":  # The logits themselves are a map as well.
        assert seg_gradcam(segmenter, image, [1], [image[0, 0] == 0], layer).shape == (1, 32, 32)
        return
    with pytest.raises(InvalidOptionError) as error:
        seg_gradcam(segmenter, image, [1], [image[0, 0] == 0], layer)
    assert said in str(error.value)


def test_a_box_covers_every_pixel_that_it_touches():
    found = region_mask((2, 0, 5, 3), (10, 20), (5, 10))
    expected = np.zeros((5, 10), bool)
    expected[0:2, 1:3] = True
    np.testing.assert_array_equal(found, expected)
    assert region_mask((19, 9), (10, 20), (5, 10)).nonzero() == ([4], [9])
    assert region_mask((19, 9), (10, 20), (40, 60)).sum() == 4 * 3


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (0, 0, 21, 3), (20, 3), (3, 4, 2, 5)])
def test_a_region_that_is_none_is_refused(box):
    with pytest.raises(WsssError, match="no region of an image of 20 × 10 px"):
        region_mask(box, (10, 20), (5, 10))
