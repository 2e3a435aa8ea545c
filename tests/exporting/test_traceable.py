import pytest
import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.pool2d_same import AvgPool2dSame
from torch import nn

from wsss.errors import UnsupportedError
from wsss.exporting.traceable import traceable


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"),
    [(3, 2, 1), (5, 2, 1), ((3, 5), (2, 4), 1), (2, 1, 1), (3, 1, 2), (1, 2, 1)],
)
def test_at_multiples_of_the_stride_the_result_is_timms(kernel, stride, dilation):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Sequential(Conv2dSame(2, 3, kernel, stride, dilation=dilation)))
    features = torch.rand(1, 2, 8, 12)
    assert torch.equal(traceable(network)(features), network(features))
    assert type(network[0][0]) is Conv2dSame


def test_other_layers_of_that_padding_are_refused():
    with pytest.raises(UnsupportedError, match="AvgPool2dSame"):
        traceable(nn.Sequential(AvgPool2dSame(2)))


def test_the_network_itself_stays_as_it_is():
    network = nn.Sequential(nn.ReLU6(inplace=True), Conv2dSame(2, 3, 3, stride=2))
    copied = traceable(network)
    features = torch.full((1, 2, 4, 4), 7.0)
    copied(features)
    assert (features == 7).all()
    assert network[0].inplace
