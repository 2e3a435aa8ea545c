import gc

import pytest
import timm
import torch

from wsss.errors import InvalidOptionError, WsssError
from wsss.models import SplitClassifier, VitBackbone
from wsss.models import vit as vit_module
from wsss.models.saved_networks import load_classifier, save_classifier

DEIT = "deit_small_patch16_224"


@pytest.fixture(scope="module")
def deit():
    torch.manual_seed(0)
    backbone = VitBackbone(DEIT).double().eval()
    for block in backbone.network.blocks:
        torch.nn.init.normal_(block.attn.qkv.weight, std=0.2)
    return backbone


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(1)
    return torch.rand(2, 3, 48, 64, dtype=torch.float64, generator=generator)


def attention_by_hand(backbone, images):
    """`softmax(Q Kᵀ / √d)` of every layer, averaged over heads: [L, B, T, T]."""
    network = backbone.network
    x = network.patch_embed(backbone.normalise(images))
    x = network._pos_embed(x)
    found = []
    for block in network.blocks:
        weight, bias = block.attn.qkv.weight, block.attn.qkv.bias
        query, key, _ = (block.norm1(x) @ weight.T + bias).chunk(3, dim=2)
        heads = []
        for h in range(6):
            q, k = query[:, :, 64 * h : 64 * h + 64], key[:, :, 64 * h : 64 * h + 64]
            scores = torch.einsum("bid,bjd->bij", q, k) / 64**0.5
            heads.append(scores.exp() / scores.exp().sum(dim=2, keepdim=True))
        found.append(sum(heads) / 6)
        x = block(x)
    return torch.stack(found)


def test_features_are_the_patch_tokens_as_a_map(deit, images):
    with torch.no_grad():
        features = deit(images)
        tokens = deit.network.forward_features(deit.normalise(images))
    assert deit.num_features == 384
    assert features.shape == (2, 384, 3, 4)
    for i in range(3):
        for j in range(4):
            assert torch.equal(features[:, :, i, j], tokens[:, 1 + 4 * i + j])


@pytest.mark.parametrize("layers", [None, [11], [0, -1, 5]])
def test_attention_is_the_softmax_of_queries_and_keys(deit, images, layers):
    with torch.no_grad():
        features, attention = deit.forward_with_attention(images, layers)
        by_hand = attention_by_hand(deit, images)
        fused = deit(images)
    expected = by_hand[list(range(12)) if layers is None else layers].mean(dim=0)
    torch.testing.assert_close(attention, expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(features, fused, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(attention.sum(dim=2), torch.ones(2, 13, dtype=torch.float64))
    assert attention.std() > 0.01


def test_attention_does_not_depend_on_how_many_images_are_looked_at_together(
    deit, images, monkeypatch
):
    with torch.no_grad():
        together = deit.forward_with_attention(images)
        monkeypatch.setattr(vit_module, "MAX_ATTENTIONS", 1)
        alone = deit.forward_with_attention(images)
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-12)


def test_layers_are_not_kept_one_by_one(deit, images):
    gc.collect()

    def matrices(*_):
        square = [one for one in gc.get_objects() if type(one) is torch.Tensor]
        held.append(sum(one.shape[-2:] == (13, 13) for one in square))

    held = []
    handle = deit.network.norm.register_forward_pre_hook(matrices)
    with torch.no_grad():
        deit.forward_with_attention(images)
    handle.remove()
    assert held == [1]


def test_looking_at_attention_leaves_nothing_behind(deit, images):
    attentions = [block.attn for block in deit.network.blocks]
    before = [module.fused_attn for module in attentions]
    assert any(before)
    deit.forward_with_attention(images, [3])
    handle = deit.network.blocks[5].register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        deit.forward_with_attention(images)
    handle.remove()
    assert [module.fused_attn for module in attentions] == before
    assert not any(len(module.attn_drop._forward_pre_hooks) for module in attentions)


def test_other_prefix_tokens_are_left_out(images):
    torch.manual_seed(0)
    backbone = VitBackbone("deit_tiny_distilled_patch16_224").double().eval()
    with torch.no_grad():
        features, attention = backbone.forward_with_attention(images)
    assert features.shape == (2, 192, 3, 4)
    assert attention.shape == (2, 13, 13)


@pytest.mark.parametrize("layers", [[12], [-13], []])
def test_layers_out_of_range_are_refused(deit, images, layers):
    with pytest.raises(InvalidOptionError, match="-12…11"):
        deit.forward_with_attention(images, layers)


def test_weights_of_the_authors_load(tmp_path):
    torch.manual_seed(0)
    published = timm.create_model(DEIT)
    file = tmp_path / "deit_small.pth"
    torch.save({"model": published.state_dict()}, file)
    state = VitBackbone(DEIT, str(file)).network.state_dict()
    assert all(torch.equal(value, published.state_dict()[key]) for key, value in state.items())
    torch.save({"model": {}}, file)
    with pytest.raises(WsssError, match="parameters missing"):
        VitBackbone(DEIT, str(file))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"name": DEIT, "output_stride": 32}, "patch size of deit.*, 16"),
        ({"name": "vit_base_patch16_clip_quickgelu_224", "output_stride": 8}, "patch size .*, 16"),
        ({"name": "vit_mini_patch8", "output_stride": 16}, "patch size of vit_mini_patch8, 8"),
        ({"name": "resnet50"}, "name='resnet50': expected a vision transformer"),
        ({"name": "deit"}, "name='deit': expected a vision transformer"),
    ],
)
def test_networks_without_the_right_tokens_are_refused(settings, expected):
    with torch.device("meta"), pytest.raises(ValueError, match=expected):
        VitBackbone(**settings)


def test_a_name_on_a_hub_is_refused_without_asking_there(offline):
    with pytest.raises(ValueError, match="expected a vision transformer"):
        VitBackbone("hf-hub:timm/deit_small_patch16_224.fb_in1k")
    assert not offline


def test_the_stem_can_be_frozen():
    backbone = VitBackbone(DEIT, freeze="stem")
    frozen = {n.split(".")[1] for n, p in backbone.named_parameters() if not p.requires_grad}
    assert frozen == {"patch_embed", "cls_token", "pos_embed"}


@pytest.mark.parametrize(
    ("name", "patch_px", "channels", "layers"),
    [("deit_tiny_patch16_224", 16, 192, 12), ("vit_mini_patch8", 8, 128, 6)],
)
def test_a_classifier_comes_back_as_it_was_saved(tmp_path, name, patch_px, channels, layers):
    torch.manual_seed(0)
    backbone = VitBackbone(name, output_stride=patch_px)
    model = SplitClassifier.linear(backbone, 2).eval()
    save_classifier(tmp_path, model, ("cat", "dog"))
    loaded, _ = load_classifier(tmp_path)
    images = torch.rand(1, 3, 32, 48)
    with torch.no_grad():
        assert torch.equal(loaded(images), model(images))
        features = backbone(images)
    assert features.shape == (1, channels, 32 // patch_px, 48 // patch_px)
    assert backbone.num_layers == layers


def test_the_last_layer_divides_the_network(deit, images):
    assert deit.has_divisible_end
    with torch.no_grad():
        tokens, normalised = deit.before_last_layer(images)
        features = deit.last_layer(tokens, normalised, deit.grid(images))
        assert torch.equal(features, deit(images))
    assert tokens.shape == normalised.shape == (2, 13, 384)
