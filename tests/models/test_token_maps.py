"""Token maps of vision transformers beside independent implementations with the same weights."""

import re

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torch.nn import functional as F

from wsss.errors import InvalidOptionError, WsssError
from wsss.models import TimmBackbone, VitBackbone

SMALL = {"embed_dim": 32, "depth": 2, "num_heads": 2}
"""The networks here are as timm builds them, but for their size."""
EXACT = {"rtol": 0, "atol": 1e-5}
DINOV2, DINOV3 = "vit_small_patch14_reg4_dinov2", "vit_small_patch16_dinov3"
CLIP, SIGLIP = "vit_base_patch16_clip_quickgelu_224", "vit_base_patch16_siglip_224"
FAMILIES = [
    "deit_small_patch16_224", "deit_small_distilled_patch16_224", "deit3_small_patch16_224",
    "vit_small_patch16_224", "vit_small_patch14_dinov2", DINOV2, DINOV3,
    "vit_base_patch16_dinov3_qkvb", CLIP, SIGLIP, "vit_base_patch16_siglip_gap_224",
    "vit_medium_patch16_gap_240", "eva02_small_patch14_224", "eva_large_patch14_196",
]  # fmt: skip


@pytest.fixture
def small(monkeypatch):
    """Lets `timm.create_model` build small networks; gives the original."""
    create = timm.create_model

    def created(name, **options):
        return create(name, **{**SMALL, **options})

    monkeypatch.setattr(timm, "create_model", created)
    return created


def lively(network, seed=0):
    """The network in evaluation mode with weights that let every part of it count."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, one in network.named_parameters():
            middle = 1.0 if re.search(r"norm\w*\.weight|ln_\w+\.weight", name) else 0.0
            one.copy_(middle + 0.2 * torch.randn(one.shape, generator=generator))
    return network.eval()


def vit(name, **options):
    return lively(VitBackbone(name, **options)).requires_grad_(False)


def seen(height, width, seed=1):
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(seed))


def pixels(tokens, grid):
    """The last `h·w` tokens of [B, T, D] as a map."""
    height, width = grid
    patches = tokens[:, -height * width :]
    return patches.unflatten(1, grid).permute(0, 3, 1, 2)


def resized_positions(positions, num_prefix, grid):
    """Positions [1, T, D] at another grid by Pillow, channel by channel."""
    prefix, patches = positions[:, :num_prefix], positions[0, num_prefix:]
    side = round(len(patches) ** 0.5)
    maps = patches.reshape(side, side, -1).permute(2, 0, 1).numpy()
    size = grid[::-1]
    found = [
        np.asarray(Image.fromarray(one).resize(size, Image.Resampling.BICUBIC)) for one in maps
    ]
    table = torch.from_numpy(np.stack(found)).flatten(1).T[None]
    return torch.cat([prefix, table], dim=1)


def native_side(network):
    return network.patch_embed.img_size[0]


@pytest.mark.parametrize("name", FAMILIES)
def test_maps_are_timms_own_tokens_at_the_native_size(small, name):
    backbone = vit(name)
    side = native_side(backbone.network)
    published = small(name, num_classes=0).eval()
    published.load_state_dict(backbone.network.state_dict(), strict=False)
    images = seen(side, side)
    grid = backbone.grid(images)
    tokens = published.forward_features(backbone.normalise(images))
    if name.startswith("eva"):
        assert isinstance(published.norm, torch.nn.Identity)  # They normalise behind the average.
        tokens = published.fc_norm(tokens)
    torch.testing.assert_close(backbone(images), pixels(tokens, grid), **EXACT)
    assert tokens.std() > 0.1
    assert backbone.output_stride == side // grid[0]
    assert backbone.num_features == 32


@pytest.mark.parametrize("grid", [(9, 13), (40, 20)])
@pytest.mark.parametrize("name", FAMILIES)
def test_positions_are_resized_to_the_grid_of_the_image(small, name, grid):
    backbone = vit(name)
    patch_px = backbone.output_stride
    size = (grid[0] * patch_px, grid[1] * patch_px)
    # Built for this size, it resizes nothing; its learned positions come from Pillow.
    published = small(name, num_classes=0, img_size=size, dynamic_img_size=False).eval()
    state = dict(backbone.network.state_dict())
    if "pos_embed" in state:
        count = published.pos_embed.shape[1] - grid[0] * grid[1]
        state["pos_embed"] = resized_positions(state["pos_embed"], count, grid)
    published.load_state_dict(state, strict=False)
    images = seen(*size)
    tokens = published.forward_features(backbone.normalise(images))
    if isinstance(published.norm, torch.nn.Identity):
        tokens = published.fc_norm(tokens)
    torch.testing.assert_close(backbone(images), pixels(tokens, grid), **EXACT)


def their_parameters(reference, state, renamed):
    """Fill a reference from timm's parameters by patterns of its names; the names not filled."""
    own, left = reference.state_dict(), []
    parts = {"q_proj": 0, "k_proj": 1, "v_proj": 2}
    for key in own:
        name = key
        for pattern, new in renamed.items():
            name = re.sub(pattern, new, name)
        split = re.fullmatch(r"(.*)\.([qkv]_proj)\.(weight|bias)", name)
        if split:
            whole, part = f"{split[1]}.qkv.{split[3]}", parts[split[2]]
            if whole in state:
                own[key] = state[whole].chunk(3)[part]
                continue
        if name in state:
            own[key] = state[name].reshape(own[key].shape)
        else:
            left.append(key)
    reference.load_state_dict(own)
    return left


HUGGING_FACE = {
    DINOV2: {
        r"^embeddings\.patch_embeddings\.projection": "patch_embed.proj",
        r"^embeddings\.cls_token": "cls_token",
        r"^embeddings\.register_tokens": "reg_token",
        r"^encoder\.layer\.(\d+)": r"blocks.\1",
        r"\.attention\.o_proj": ".attn.proj",
        r"\.attention\.": ".attn.",
        r"layer_scale(\d)\.lambda1": r"ls\1.gamma",
        r"^layernorm": "norm",
    },
    DINOV3: {
        r"^embeddings\.patch_embeddings": "patch_embed.proj",
        r"^embeddings\.cls_token": "cls_token",
        r"^embeddings\.register_tokens": "reg_token",
        r"^model\.layer\.(\d+)": r"blocks.\1",
        r"\.attention\.o_proj": ".attn.proj",
        r"\.attention\.": ".attn.",
        r"layer_scale(\d)\.lambda1": r"gamma_\1",
        r"mlp\.up_proj": "mlp.fc1",
        r"mlp\.down_proj": "mlp.fc2",
    },
    CLIP: {
        r"^embeddings\.patch_embedding\.": "patch_embed.proj.",
        r"^embeddings\.class_embedding": "cls_token",
        r"^pre_layrnorm": "norm_pre",
        r"^post_layernorm": "norm",
        r"^encoder\.layers\.(\d+)": r"blocks.\1",
        r"\.self_attn\.out_proj": ".attn.proj",
        r"\.self_attn\.": ".attn.",
        r"layer_norm(\d)": r"norm\1",
    },
}
HUGGING_FACE[SIGLIP] = HUGGING_FACE[CLIP]
"""Names of `transformers` and those of timm, by patterns applied one after another."""


def hugging_face(name, side, patch_px):
    """A network of `transformers` of the same size."""
    transformers = pytest.importorskip("transformers", reason="the reference is transformers")
    kind, more = {
        DINOV2: ("Dinov2WithRegisters", {}),
        DINOV3: ("DINOv3ViT", {"num_register_tokens": 4, "query_bias": False, "value_bias": False}),
        CLIP: ("CLIPVision", {}),  # Its activation is CLIP's own, the quick GELU.
        SIGLIP: ("SiglipVision", {"hidden_act": "gelu"}),  # timm's is exact, theirs the tanh.
    }[name]
    config = getattr(transformers, f"{kind}Config")(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128,
        image_size=side, patch_size=patch_px, attn_implementation="eager", **more,
    )  # fmt: skip
    return getattr(transformers, f"{kind}Model")(config).eval()


@pytest.mark.filterwarnings("ignore")  # The library's own.
@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("name", HUGGING_FACE)
def test_maps_are_those_of_transformers(small, name, native):
    backbone = vit(name)
    patch_px, state = backbone.output_stride, backbone.network.state_dict()
    side = native_side(backbone.network)
    grid = (side // patch_px, side // patch_px) if native else (9, 13)
    reference = hugging_face(name, side, patch_px)
    left = their_parameters(reference, state, HUGGING_FACE[name])
    unused = {"embeddings.mask_token", "embeddings.position_embeddings"}
    unused |= {"embeddings.position_embedding.weight"}
    assert {one for one in left if not one.startswith("head.")} <= unused
    if "pos_embed" in state:
        num_prefix = state["pos_embed"].shape[1] - (side // patch_px) ** 2
        table = resized_positions(state["pos_embed"], num_prefix, grid)
        if name == DINOV2:  # timm has added the class token's position to the token.
            table = F.pad(table, (0, 0, 1, 0))
        reference.embeddings.interpolate_pos_encoding = lambda *_: table
    images = seen(grid[0] * patch_px, grid[1] * patch_px)
    options = {"interpolate_pos_encoding": True} if name in {CLIP, SIGLIP} else {}
    with torch.no_grad():
        tokens = reference(backbone.normalise(images), **options).last_hidden_state
        if name == CLIP:  # There the last norm sees the class token alone.
            tokens = reference.post_layernorm(tokens)
    torch.testing.assert_close(backbone(images), pixels(tokens, grid), **EXACT)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("grid", [(14, 14), (9, 13)])
def test_clips_tower_is_that_of_open_clip_from_its_own_file(small, tmp_path, grid):
    transformer = pytest.importorskip("open_clip.transformer", reason="the reference is open_clip")
    tower = lively(
        transformer.VisionTransformer(
            224, 16, 32, 2, 2, 4.0, output_dim=8, output_tokens=True,
            act_layer=transformer.QuickGELU,
        )
    )  # fmt: skip
    whole = {f"visual.{key}": one for key, one in tower.state_dict().items()}
    file = tmp_path / "open_clip.pth"
    torch.save({**whole, "logit_scale": torch.zeros(())}, file)
    backbone = VitBackbone(CLIP, str(file)).eval()
    table = tower.positional_embedding.data[None]
    tower.positional_embedding.data = resized_positions(table, 1, grid)[0]
    images = seen(16 * grid[0], 16 * grid[1])
    with torch.no_grad():
        _, tokens = tower(backbone.normalise(images))
        torch.testing.assert_close(backbone(images), pixels(tokens, grid), **EXACT)


@pytest.mark.filterwarnings("ignore")
def test_dinov3s_convnext_is_that_of_transformers():
    transformers = pytest.importorskip("transformers", reason="the reference is transformers")
    name = "convnext_tiny.dinov3_lvd1689m"
    backbone = lively(TimmBackbone(name, output_stride=None)).requires_grad_(False)
    reference = transformers.DINOv3ConvNextModel(transformers.DINOv3ConvNextConfig()).eval()
    state = backbone.network.state_dict()
    first = {"stages.0.downsample_layers": "stem"}
    renamed = {
        r"^model\.": "",
        **first,
        r"downsample_layers": "downsample",
        r"\.layers\.": ".blocks.",
        r"depthwise_conv": "conv_dw",
        r"pointwise_conv": "mlp.fc",
        r"blocks\.(\d+)\.layer_norm": r"blocks.\1.norm",
        r"^layer_norm": "norm_pre",
    }
    assert their_parameters(reference, state, renamed) == []
    images = seen(64, 96)
    with torch.no_grad():
        tokens = reference(backbone.normalise(images)).last_hidden_state
    torch.testing.assert_close(backbone(images), pixels(tokens, (2, 3)), **EXACT)
    assert tokens.std() > 0.1
    assert (tokens[0] - tokens[1]).abs().max() > 0.01
    assert backbone.output_stride == 32


def test_files_of_dinov2s_and_dinov3s_authors_load(small, tmp_path):
    """Other names of registers, a token of the training, the class token with a position."""
    for name in (DINOV2, DINOV3):
        backbone = vit(name)
        state = {key: one.clone() for key, one in backbone.network.state_dict().items()}
        theirs = {"mask_token": torch.zeros(1, 32)}
        if name == DINOV2:
            registers, position = state.pop("reg_token"), torch.full((1, 1, 32), 0.3)
            state["cls_token"] -= position
            state["pos_embed"] = torch.cat([position, state["pos_embed"]], dim=1)
            theirs["register_tokens"] = registers
        else:
            theirs["storage_tokens"] = state.pop("reg_token")
            theirs["rope_embed.periods"] = torch.ones(4)
            for index in range(2):
                theirs[f"blocks.{index}.attn.qkv.bias"] = torch.zeros(96)
                theirs[f"blocks.{index}.attn.qkv.bias_mask"] = torch.zeros(96)
            state = {re.sub(r"gamma_(\d)", r"ls\1.gamma", key): one for key, one in state.items()}
        file = tmp_path / f"{name}.pth"
        torch.save(theirs | state, file)
        images = seen(70, 98) if name == DINOV2 else seen(80, 96)
        loaded = VitBackbone(name, str(file)).eval()
        torch.testing.assert_close(loaded(images), backbone(images), rtol=0, atol=1e-5)


def test_weights_of_another_image_size_bring_their_positions_along(small, tmp_path):
    larger = lively(small("vit_small_patch16_224", num_classes=0, img_size=384))
    file = tmp_path / "larger.pth"
    torch.save(larger.state_dict(), file)
    found = VitBackbone("vit_small_patch16_224", str(file)).network.pos_embed
    expected = resized_positions(larger.pos_embed.data, 1, (14, 14))
    torch.testing.assert_close(found.data, expected, **EXACT)


def test_weights_of_another_transformer_are_refused(small, tmp_path):
    file = tmp_path / "other.pth"
    torch.save(small("vit_small_patch16_224", depth=1).state_dict(), file)
    for name in ("vit_small_patch16_224", DINOV2, DINOV3):
        with pytest.raises(WsssError, match="parameters missing"):
            VitBackbone(name, str(file))


@pytest.mark.parametrize("name", [DINOV2, DINOV3, CLIP, SIGLIP, "eva02_small_patch14_224"])
def test_the_last_layer_divides_every_transformer(small, name):
    backbone = vit(name).double()
    assert backbone.has_divisible_end
    images = seen(5 * backbone.output_stride, 3 * backbone.output_stride).double()
    tokens, normalised = backbone.before_last_layer(images)
    found = backbone.last_layer(tokens, normalised, (5, 3))
    torch.testing.assert_close(found, backbone(images), rtol=1e-9, atol=1e-9)
    assert not backbone.network.blocks[-1].norm1._forward_hooks


def test_the_last_layer_of_rotated_tokens_takes_both_of_its_inputs(small):
    backbone = vit(DINOV3).double()
    network, block = backbone.network, backbone.network.blocks[-1]
    generator = torch.Generator().manual_seed(3)
    tokens, normalised = torch.randn(2, 2, 5 + 15, 32, dtype=torch.float64, generator=generator)
    rotations = network.rope.get_embed(shape=(5, 3))
    attended = tokens + block.gamma_1 * block.attn(normalised, rope=rotations)
    ended = attended + block.gamma_2 * block.mlp(block.norm2(attended))
    found = backbone.last_layer(tokens, normalised, (5, 3))
    torch.testing.assert_close(found, pixels(network.norm(ended), (5, 3)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", [DINOV2, DINOV3, CLIP, SIGLIP, "eva02_small_patch14_224"])
def test_attention_is_that_of_each_layers_queries_and_keys(small, name):
    backbone = vit(name).double()
    network = backbone.network
    images = seen(5 * backbone.output_stride, 3 * backbone.output_stride).double()
    kept = []
    for block in network.blocks:  # What timm's explicit computation multiplies the values by.
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_hook(lambda _m, _i, out: kept.append(out.mean(1)))
    features = backbone(images)
    seen_features, attention = backbone.forward_with_attention(images)
    torch.testing.assert_close(seen_features, features, rtol=1e-9, atol=1e-9)
    prefix = network.num_prefix_tokens
    by_layer = torch.stack(kept[:2]).mean(0)
    torch.testing.assert_close(attention[:, 1:, 1:], by_layer[:, prefix:, prefix:])
    if name == SIGLIP:
        assert not backbone.has_class_token
        assert not attention[:, 0].any()
        assert not attention[:, :, 0].any()
    else:
        assert backbone.has_class_token
        torch.testing.assert_close(attention[:, 0, 0], by_layer[:, 0, 0])
        torch.testing.assert_close(attention[:, 0, 1:], by_layer[:, 0, prefix:])


def test_images_are_resized_to_whole_patches(small):
    backbone = vit(DINOV2)
    images = seen(80, 50)
    whole = F.interpolate(images, (84, 56), mode="bilinear", align_corners=False)
    assert torch.equal(backbone(images), backbone(whole))
    assert backbone.grid(images) == (6, 4)


@pytest.mark.parametrize("family", ["imagenet", "openai_clip", "half"])
def test_colours_are_normalised_as_the_networks_were_trained(small, family):
    constants = pytest.importorskip("transformers.image_utils")
    names, mean, std = {
        "imagenet": (
            ["vit_small_patch14_reg4_dinov2.lvd142m", DINOV3, "deit_small_patch16_224"],
            constants.IMAGENET_DEFAULT_MEAN,
            constants.IMAGENET_DEFAULT_STD,
        ),
        "openai_clip": ([f"{CLIP}.openai"], constants.OPENAI_CLIP_MEAN, constants.OPENAI_CLIP_STD),
        "half": (
            [f"{SIGLIP}.webli", "vit_small_patch16_224.augreg_in21k_ft_in1k"],
            constants.IMAGENET_STANDARD_MEAN,
            constants.IMAGENET_STANDARD_STD,
        ),
    }[family]
    for name in names:
        normalise = VitBackbone(name).normalise
        assert normalise.mean.flatten().tolist() == pytest.approx(mean)
        assert normalise.std.flatten().tolist() == pytest.approx(std)


def test_no_part_of_the_network_is_left_without_a_gradient(small):
    """Processes that train together wait for every parameter that learns."""
    for name in (SIGLIP, "vit_base_patch16_siglip_gap_224", CLIP, DINOV2, DINOV3):
        backbone = lively(VitBackbone(name))
        backbone(seen(112, 112)).square().sum().backward()
        assert [n for n, p in backbone.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: VitBackbone("samvit_base_patch16"), "vision transformer of timm"),
        (lambda: VitBackbone("beit_base_patch16_224"), "vision transformer of timm"),
        (lambda: VitBackbone("swin_tiny_patch4_window7_224"), "vision transformer of timm"),
        (lambda: TimmBackbone("deit_tiny_patch16_224"), "tokens.*VitBackbone"),
        (lambda: TimmBackbone("swin_tiny_patch4_window7_224", output_stride=None), "channels last"),
        (lambda: TimmBackbone("densenet121"), "output_stride=16.*`densenet121` cannot be dilated"),
    ],
)
def test_networks_of_another_kind_are_refused(make, said):
    with torch.device("meta"), pytest.raises(InvalidOptionError, match=said):
        make()
