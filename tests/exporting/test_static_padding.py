import pytest
import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.pool2d_same import AvgPool2dSame
from torch import nn

from wsss.errors import UnsupportedError
from wsss.exporting.static_padding import statically_padded


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"),
    [(3, 2, 1), (5, 2, 1), ((3, 5), (2, 4), 1), (2, 1, 1), (3, 1, 2), (1, 2, 1)],
)
def test_at_multiples_of_the_stride_the_result_is_timms(kernel, stride, dilation):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Sequential(Conv2dSame(2, 3, kernel, stride, dilation=dilation)))
    features = torch.rand(1, 2, 8, 12)
    assert torch.equal(statically_padded(network)(features), network(features))
    assert type(network[0][0]) is Conv2dSame


def test_other_layers_of_that_padding_are_refused():
    with pytest.raises(UnsupportedError, match="AvgPool2dSame"):
        statically_padded(nn.Sequential(AvgPool2dSame(2)))
