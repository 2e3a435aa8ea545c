import sys

import pytest
import timm
import torch

from wsss.models.own_stride import own_stride


@pytest.mark.parametrize(
    ("name", "stride"),
    [
        ("vit_small_patch14_dinov2", 14),
        ("vit_small_patch14_reg4_dinov2.lvd142m", 14),
        ("vit_base_patch32_clip_224.openai", 32),
        ("vit_mini_patch8", 8),
        ("resnet50", 32),
        ("swin_tiny_patch4_window7_224", 32),
        ("resnet5o", None),
    ],
)
def test_a_network_is_known_by_its_name(name, stride):
    assert own_stride(name) == stride


@pytest.mark.parametrize("name", ["deit_tiny_patch16_224", "vit_so400m_patch14_siglip_gap_224"])
def test_names_of_patches_are_what_the_networks_have(name):
    with torch.device("meta"):
        network = timm.create_model(name, depth=1)
    assert own_stride(name) == network.patch_embed.patch_size[0]


def test_a_name_that_tells_takes_no_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    assert own_stride("vit_small_patch16_dinov3.lvd1689m") == 16
