import pytest
import timm
import torch
import torchvision
from torch import nn

from wsss.cams.extended_cam.receptive_field import ReceptiveField, features_and_fields
from wsss.errors import WsssError


def fields_of(network, size=(64, 96)):
    with torch.no_grad():
        features, fields = features_and_fields(network.eval(), torch.zeros(1, 3, *size))
    return features, fields


def meta_field(network):
    """The field of a network without weights, which must be the same along both axes."""
    with torch.no_grad():
        images = torch.zeros(1, 3, 224, 224, device="meta")
        height, width = features_and_fields(network.eval(), images)[1]
    assert height == width
    return height


def resnet50(stride_in_3x3=True, last_stride=2):
    with torch.device("meta"):
        network = torchvision.models.resnet50()
    for stage in (network.layer2, network.layer3, network.layer4):
        first = stage[0]
        if not stride_in_3x3:
            first.conv1.stride, first.conv2.stride = (2, 2), (1, 1)
    if last_stride == 1:
        network.layer4[0].conv2.stride = network.layer4[0].downsample[0].stride = (1, 1)
    return nn.Sequential(*list(network.children())[:-2])


def vgg16(last_pool):
    with torch.device("meta"):
        layers = torchvision.models.vgg16().features
    return layers if last_pool else layers[:-1]


@pytest.mark.parametrize(
    ("make", "size", "jump", "sigma"),
    [
        (resnet50, 427, 32, 51.08),
        (lambda: resnet50(stride_in_3x3=False), 483, 32, 57.28),
        (lambda: resnet50(last_stride=1), 363, 16, 39.82),
        (lambda: vgg16(last_pool=True), 212, 32, 27.64),
        (lambda: vgg16(last_pool=False), 196, 16, 26.46),
    ],
    ids=["resnet50", "original strides", "last stride 1", "vgg16", "vgg16 without last pool"],
)
def test_fields_of_known_networks(make, size, jump, sigma):
    field = meta_field(make())
    assert (field.size, field.jump) == (size, jump)
    assert field.sigma == pytest.approx(sigma, abs=0.005)


def test_a_resnet_looks_at_pixel_zero_first_and_vgg_at_the_middle_of_its_cell():
    assert meta_field(resnet50()).centre == 0.5
    assert meta_field(vgg16(last_pool=True)).centre == 16


def test_dilation_keeps_the_field_that_stride_made():
    with torch.device("meta"):
        strided, dilated = (
            timm.create_model("resnet50", num_classes=0, output_stride=stride).eval()
            for stride in (32, 16)
        )
    for network in (strided, dilated):
        network.forward = network.forward_features
    one, other = meta_field(strided), meta_field(dilated)
    assert (one.size, one.sigma, one.jump) == (other.size, other.sigma, 2 * other.jump)


def impulse_response(network, size, cell):
    """First and last row and column of the image that move a cell of the features."""
    images = torch.rand(1, 3, *size, dtype=torch.float64, requires_grad=True)
    network(images)[0, :, cell[0], cell[1]].sum().backward()
    seen = images.grad[0].abs().sum(dim=0) > 0
    return [
        (int(line.nonzero().min()), int(line.nonzero().max()))
        for line in (seen.any(dim=1), seen.any(dim=0))
    ]


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Conv2d(3, 4, (3, 5), 2, (1, 0)), nn.Softplus(), nn.Conv2d(4, 4, 3)),
        nn.Sequential(nn.Conv2d(3, 4, 3, padding="same", dilation=2), nn.AvgPool2d((2, 3))),
        nn.Sequential(nn.ZeroPad2d((1, 2, 3, 0)), nn.Conv2d(3, 4, 4, 3), nn.Conv2d(4, 4, (1, 3))),
        nn.Sequential(nn.AvgPool2d(3, stride=2, padding=1), nn.Conv2d(3, 2, 2, dilation=(2, 1))),
    ],
    ids=["oblong", "same", "padded", "pooled"],
)
def test_fields_are_where_gradients_arrive(network):
    network = network.double()
    size, cell = (40, 44), (4, 3)
    with torch.no_grad():
        features, fields = features_and_fields(network, torch.rand(1, 3, *size).double())
    assert not hasattr(features, "receptive_fields")
    for axis, (first, last) in enumerate(impulse_response(network, size, cell)):
        field = fields[axis]
        assert field.size == last - first + 1
        assert field.centre + cell[axis] * field.jump == (first + last + 1) / 2


def test_sums_see_as_far_as_their_longest_branch():
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.long = nn.Sequential(nn.Conv2d(3, 3, 3, 2, 1), nn.ReLU(), nn.Conv2d(3, 3, 5, 1, 2))
            self.short = nn.Conv2d(3, 3, 1, 2)

        def forward(self, images):
            shortcut = self.short(images)
            shortcut += self.long(images)
            gate = shortcut.mean(dim=(2, 3), keepdim=True)
            return torch.cat([shortcut * gate, shortcut.relu_()], dim=1)

    features, (height, width) = fields_of(Residual())
    assert features.shape == (1, 6, 32, 48)
    assert height == width == ReceptiveField(11, 2, 0.5, 8 / 12 + 4 * 24 / 12)


def test_the_image_is_left_as_it_was():
    images = torch.rand(1, 3, 8, 8)
    features_and_fields(nn.Identity(), images)
    assert not vars(images)


def test_features_from_elsewhere_are_refused():
    class Constant(nn.Module):
        def forward(self, images):
            return torch.ones(1, 2, 3, 3)

    with pytest.raises(WsssError, match="cannot be followed"):
        fields_of(Constant())
