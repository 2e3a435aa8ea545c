"""Networks small enough for affinities to be computed by loops."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from wsss.models import Backbone, SplitClassifier, VitBackbone
from wsss.refine.affinity.paths import pair_offsets


class Tiny(Backbone):
    """Two convolutions, to a quarter and to an eighth of the size."""

    def __init__(self, shows_layers=True):
        super().__init__("tiny", 8)
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 6, 4, stride=4)
        self.second = nn.Conv2d(6, 5, 2, stride=2)
        self.num_features = 5
        self.shows_layers = shows_layers

    def forward(self, images):
        return self.second(self.first(images))

    @property
    def inner_layers(self):
        return {"first": self.first, "second": self.second} if self.shows_layers else {}


@pytest.fixture
def classifier():
    """Make a classifier of convolutions that shows, or hides, its inner layers."""

    def make(shows_layers=True):
        return SplitClassifier.linear(Tiny(shows_layers), 3).eval().requires_grad_(False)

    return make


@pytest.fixture(scope="session")
def transformer():
    """A small vision transformer in float64 with patches of 16 pixels and uneven attention."""
    torch.manual_seed(0)
    network = VitBackbone("deit_tiny_patch16_224").double().eval().requires_grad_(False)
    # Timm begins with queries and keys so small that all attention is even.
    for block in network.network.blocks:
        nn.init.normal_(block.attn.qkv.weight, std=0.2)
    return network


@pytest.fixture
def peak_memory():
    """Call something, and count the bytes of tensors made meanwhile that are held at once."""

    class Watch(TorchDispatchMode):
        def __init__(self):
            super().__init__()
            self.held, self.peak = {}, 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            given = {one.untyped_storage()._cdata for one in args if isinstance(one, torch.Tensor)}
            self.held = {key: one for key, one in self.held.items() if not one[0].expired()}
            for one in result if isinstance(result, tuple | list) else (result,):
                storage = one.untyped_storage()
                if storage._cdata not in given:
                    self.held[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
            self.peak = max(self.peak, sum(nbytes for _, nbytes in self.held.values()))
            return result

    def measure(call):
        with Watch() as watch:
            call()
        return watch.peak

    return measure


@pytest.fixture
def pairs():
    """All pairs of a map: the number of their offset, one pixel and the other."""

    def find(height, width, radius):
        for row, column in itertools.product(range(height), range(width)):
            for index, (down, right) in enumerate(pair_offsets(radius)):
                if row + down < height and 0 <= column + right < width:
                    yield index, (row, column), (row + down, column + right)

    return find


@pytest.fixture
def dense_transition(pairs):
    """The walk's matrix T in float64, built pair by pair, from an image's affinities."""

    def build(affinity, radius, exponent):
        _, height, width = affinity.shape
        matrix = np.eye(height * width)
        for index, one, other in pairs(height, width, radius):
            value = float(affinity[index, *one]) ** exponent
            places = one[0] * width + one[1], other[0] * width + other[1]
            matrix[places] = matrix[places[::-1]] = value
        return matrix / matrix.sum(axis=1, keepdims=True)

    return build
