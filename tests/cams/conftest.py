"""A network small enough to be checked by hand, in float64, on the device of the test."""

from collections.abc import Mapping
from functools import partial

import pytest
import torch
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from wsss.models import (
    Backbone,
    PairHeads,
    PairNetworks,
    ReactivatedHead,
    SplitClassifier,
    TextHead,
    VisionGnnBackbone,
    VisionGnnHead,
    VitBackbone,
)
from wsss.models.last_block import cut_before_last_stage
from wsss.models.normalisation import Normalisation
from wsss.models.vision_gnn.network import Architecture, VisionGnn

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


class RowBackbone(Backbone):
    """Any parts in a row behind the toy's normalisation."""

    def __init__(self, parts, num_features):
        super().__init__("row", 4)
        self.network = nn.Sequential(*parts)
        self.num_features = num_features
        self.normalise = Normalisation([0.4, 0.5, 0.6], [0.2, 0.25, 0.3])

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


class ToyVit(VitBackbone):
    """Three layers, two heads, patches of 2 × 2: images [B, 3, 14, 12] to [B, 16, 7, 6]."""

    toy_name = "toy_vit"
    made = VisionTransformer

    def __init__(self, name=None, weights=None, output_stride=2, freeze="none"):
        Backbone.__init__(self, name or self.toy_name, output_stride, freeze)
        network = self.made(
            IMAGE_SIZE, 2, num_classes=0, embed_dim=16, depth=3, num_heads=2, dynamic_img_size=True
        )
        network.pretrained_cfg = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3]}
        # Timm begins with queries and keys so small that all attention is even.
        for block in network.blocks:
            nn.init.normal_(block.attn.qkv.weight)
        self._adopt(network)


class ToyRotary(ToyVit):
    """As DINOv3: the toy's layers with rotary positions and two registers, and layer scales."""

    toy_name = "toy_rotary"
    made = partial(
        Eva, num_reg_tokens=2, global_pool="token", init_values=0.5, use_abs_pos_emb=False,
        use_rot_pos_emb=True, rope_type="dinov3", rope_temperature=100.0, rope_rotate_half=True,
    )  # fmt: skip


class ToyTower(ToyVit):
    """As SigLIP's image tower: the toy's layers without a class token, with attention pooling."""

    toy_name = "toy_tower"
    made = partial(VisionTransformer, class_token=False, global_pool="map")


class ToyGnn(VisionGnnBackbone):
    """Four blocks of 7 × 6 vertices: images [B, 3, 14, 12] to features [B, 16, 7, 6]."""

    def __init__(self, name="toy_gnn", weights=None, output_stride=2, freeze="none"):
        Backbone.__init__(self, name, output_stride, freeze)
        architecture = Architecture((16,), (4,), (16,), 7, (4, 8), 2, (1,))
        self.network = VisionGnn(architecture)
        self.num_features = 16
        self.normalise = Normalisation([0.4, 0.5, 0.6], [0.2, 0.25, 0.3])
        self.freeze_parameters()


@pytest.fixture
def classifier(device):
    """Makes a linear classifier of three classes in float64 from what makes its parts."""

    def make(*parts, num_features=5):
        torch.manual_seed(0)
        features = RowBackbone([part() for part in parts], num_features)
        return SplitClassifier.linear(features, 3, bias=True).to(device).double().eval()

    return make


@pytest.fixture
def toy(device) -> SplitClassifier:
    """A classifier with a linear head and a bias, seeded, float64, in evaluation mode."""
    torch.manual_seed(0)
    return SplitClassifier.linear(ToyBackbone(), NUM_CLASSES, bias=True).to(device).double().eval()


@pytest.fixture
def toy_mlp(device) -> SplitClassifier:
    """The same features with a head that is not linear."""
    torch.manual_seed(0)
    return SplitClassifier(ToyBackbone(), MlpHead()).to(device).double().eval()


@pytest.fixture
def toy_vit(device) -> SplitClassifier:
    """A vision transformer with a linear head and a bias."""
    torch.manual_seed(0)
    return SplitClassifier.linear(ToyVit(), NUM_CLASSES, bias=True).to(device).double().eval()


@pytest.fixture
def toy_rotary(device) -> SplitClassifier:
    """A vision transformer with rotary positions and registers."""
    torch.manual_seed(0)
    return SplitClassifier.linear(ToyRotary(), NUM_CLASSES, bias=True).to(device).double().eval()


@pytest.fixture
def toy_tower(device) -> SplitClassifier:
    """A vision transformer without a class token."""
    torch.manual_seed(0)
    return SplitClassifier.linear(ToyTower(), NUM_CLASSES, bias=True).to(device).double().eval()


@pytest.fixture
def toy_text(device) -> SplitClassifier:
    """A vision transformer whose classes are embeddings of texts, beside three of backgrounds."""
    torch.manual_seed(0)
    head = TextHead(16, NUM_CLASSES, num_backgrounds=3, num_dimensions=8)
    head.projection.normal_()
    for texts in (head.classes, head.backgrounds):
        texts.copy_(torch.nn.functional.normalize(torch.randn(texts.shape), dim=1))
    head.scale.fill_(20)
    return SplitClassifier(ToyVit(), head).to(device).double().eval()


@pytest.fixture
def toy_gnn(device) -> SplitClassifier:
    """A vision GNN with its own head, which is not linear."""
    torch.manual_seed(0)
    return SplitClassifier(ToyGnn(), VisionGnnHead(16, NUM_CLASSES)).to(device).double().eval()


@pytest.fixture
def toy_reactivated(toy, device) -> SplitClassifier:
    """The linear classifier with a second one beside it."""
    toy.head = ReactivatedHead.beside(toy.head).to(device).double().eval()
    return toy


@pytest.fixture
def toy_opposed(toy, device) -> SplitClassifier:
    """The linear classifier with heads against representatives 1 and 4, and 2 for class 4."""
    pairs = [(0, 1), (0, 4), (1, 4), (2, 1), (2, 4), (3, 1), (3, 4), (4, 1), (4, 2)]
    targets, opponents = (torch.tensor(column) for column in zip(*pairs, strict=True))
    heads = PairHeads(targets, opponents, NUM_CLASSES, 16)
    torch.nn.init.normal_(heads.weight)
    toy.pair_heads = heads.to(device).double().eval()
    return toy


@pytest.fixture
def toy_tuned(toy_opposed) -> SplitClassifier:
    """The same with a last stage for every pair, all different."""
    heads = toy_opposed.pair_heads
    _, stage = cut_before_last_stage(toy_opposed.features)
    tuned = PairNetworks(heads.targets, heads.opponents, NUM_CLASSES, 16, stage)
    tuned.weight = heads.weight
    toy_opposed.pair_heads = tuned.double().eval()
    with torch.no_grad():
        for weight in tuned.stages.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return toy_opposed


@pytest.fixture
def toy_images(device) -> torch.Tensor:
    """Three RGB images in [0, 1], float64 [3, 3, 14, 12]."""
    generator = torch.Generator().manual_seed(1)
    return torch.rand(3, 3, *IMAGE_SIZE, dtype=torch.float64, generator=generator).to(device)


@pytest.fixture
def toy_classes(device) -> torch.Tensor:
    """Two classes of each image."""
    return torch.tensor([[0, 3], [4, 4], [2, 1]], device=device)


@pytest.fixture
def every_class(device) -> torch.Tensor:
    """All classes of each image."""
    return torch.arange(NUM_CLASSES, device=device).expand(3, -1)
