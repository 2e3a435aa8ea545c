"""A network small enough to be checked by hand, in float64."""

from collections.abc import Mapping

import pytest
import torch
from torch import nn

from wsss.models import Backbone, SplitClassifier
from wsss.models.normalisation import Normalisation

NUM_CLASSES = 5
IMAGE_SIZE = (14, 12)
FEATURE_SIZE = (7, 6)


class ToyBackbone(Backbone):
    """Three convolutions with ReLUs: images [B, 3, 14, 12] to features [B, 16, 7, 6]."""

    def __init__(self, name="toy", weights=None, output_stride=2, freeze="none"):
        super().__init__(name, output_stride, freeze)
        self.network = nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True)),
            nn.Sequential(nn.Conv2d(8, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            nn.Sequential(nn.Conv2d(12, 16, 3, padding=1), nn.ReLU()),
        )
        self.num_features = 16
        self.normalise = Normalisation([0.4, 0.5, 0.6], [0.2, 0.25, 0.3])
        self.freeze_parameters()

    def forward(self, images):
        return self.network(self.normalise(images))

    @property
    def inner_layers(self) -> Mapping[str, nn.Module]:
        return dict(self.network.named_children())


class MlpHead(nn.Module):
    """A head that is not linear: pooling to 2 × 2, a hidden layer, ReLU."""

    num_classes = NUM_CLASSES

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(64, 10),
            nn.ReLU(),
            nn.Linear(10, NUM_CLASSES),
        )

    def forward(self, features):
        return self.layers(features)


@pytest.fixture
def toy() -> SplitClassifier:
    """A classifier with a linear head and a bias, seeded, float64, in evaluation mode."""
    torch.manual_seed(0)
    return SplitClassifier.linear(ToyBackbone(), NUM_CLASSES, bias=True).double().eval()


@pytest.fixture
def toy_mlp() -> SplitClassifier:
    """The same features with a head that is not linear."""
    torch.manual_seed(0)
    return SplitClassifier(ToyBackbone(), MlpHead()).double().eval()


@pytest.fixture
def toy_images() -> torch.Tensor:
    """Three RGB images in [0, 1], float64 [3, 3, 14, 12]."""
    return torch.rand(
        3, 3, *IMAGE_SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )


@pytest.fixture
def toy_classes() -> torch.Tensor:
    """Two classes of each image."""
    return torch.tensor([[0, 3], [4, 4], [2, 1]])
