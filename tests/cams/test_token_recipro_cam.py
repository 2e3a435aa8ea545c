import pytest
import torch
from timm.models.vision_transformer import VisionTransformer
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.testing import assert_close

from wsss.cams.core.postprocess import normalise_minmax
from wsss.cams.token_recipro_cam import TokenReciproCAM
from wsss.errors import WsssError
from wsss.models import SplitClassifier, VitBackbone

GAUSS = [[1 / 16, 2 / 16, 1 / 16], [2 / 16, 4 / 16, 2 / 16], [1 / 16, 2 / 16, 1 / 16]]
MASKS = ["delta", "gaussian_neighbour"]


class Registers(VitBackbone):
    """Like the toy, with two registers behind the class token and layer scales."""

    def __init__(self):
        super(VitBackbone, self).__init__("registers", 2)
        network = VisionTransformer(
            (14, 12), 2, num_classes=0, embed_dim=16, depth=2, num_heads=4, dynamic_img_size=True,
            reg_tokens=2, init_values=0.5,
        )  # fmt: skip
        network.pretrained_cfg = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3]}
        for block in network.blocks:
            torch.nn.init.normal_(block.attn.qkv.weight)
        self._adopt(network)


@pytest.fixture(params=["class token", "registers"])
def vit(request, toy_vit, device):
    if request.param == "class token":
        return toy_vit
    torch.manual_seed(0)
    return SplitClassifier.linear(Registers(), 5, bias=True).to(device).double().eval()


def layer_norm(x, layer):
    centred = x - x.mean(dim=-1, keepdim=True)
    spread = ((centred**2).mean(dim=-1, keepdim=True) + layer.eps).sqrt()
    return centred / spread * layer.weight + layer.bias


def naive_logits(model, tokens, mask):
    """The last layer, the last norm, pooling and head of one image's masked tokens, by hand."""
    network = model.features.network
    block, num_prefix = network.blocks[-1], network.num_prefix_tokens
    residual = torch.stack([w * token for w, token in zip(mask, tokens, strict=True)])
    seen = layer_norm(tokens, block.norm1)
    seen = torch.stack([w * token for w, token in zip(mask, seen, strict=True)])
    heads, size = block.attn.num_heads, tokens.shape[1] // block.attn.num_heads
    weight, bias = block.attn.qkv.weight, block.attn.qkv.bias
    query, key, value = (seen @ weight.T + bias).chunk(3, dim=1)
    answers = []
    for head in range(heads):
        part = slice(head * size, head * size + size)
        attention = (query[:, part] @ key[:, part].T / size**0.5).exp()
        answers.append(attention / attention.sum(dim=1, keepdim=True) @ value[:, part])
    answer = torch.cat(answers, dim=1) @ block.attn.proj.weight.T + block.attn.proj.bias
    scale = [layer.gamma if hasattr(layer, "gamma") else 1 for layer in (block.ls1, block.ls2)]
    x = residual + answer * scale[0]
    hidden = layer_norm(x, block.norm2) @ block.mlp.fc1.weight.T + block.mlp.fc1.bias
    hidden = hidden * (1 + torch.erf(hidden / 2**0.5)) / 2
    x = x + (hidden @ block.mlp.fc2.weight.T + block.mlp.fc2.bias) * scale[1]
    patches = layer_norm(x, network.norm)[num_prefix:]
    return model.head.weight @ patches.mean(dim=0) + model.head.bias


def naive_score(model, logits, score):
    if score == "logit":
        return logits
    return 1 / (1 + (-logits).exp()) if model.multi_label else logits.exp() / logits.exp().sum()


def naive_maps(model, images, classes, mask, score, baseline):
    """Patch after patch, from the description: one row of masks, one pass of the last layer."""
    entering = []
    handle = model.features.network.blocks[-1].register_forward_pre_hook(
        lambda _module, inputs: entering.append(inputs[0])
    )
    model.features(images)
    handle.remove()
    num_prefix = model.features.network.num_prefix_tokens
    maps = images.new_zeros(*classes.shape, 7, 6)
    for b, own in enumerate(classes):
        for i in range(7):
            for j in range(6):
                weights = images.new_zeros(7, 6)
                for di in (-1, 0, 1):
                    for dj in (-1, 0, 1):
                        if 0 <= i + di < 7 and 0 <= j + dj < 6:
                            weights[i + di, j + dj] = GAUSS[di + 1][dj + 1]
                if mask == "delta":
                    weights.zero_()
                    weights[i, j] = 1
                row = torch.cat([images.new_ones(num_prefix), weights.flatten()])
                found = naive_score(model, naive_logits(model, entering[0][b], row), score)
                if baseline == "zeros":
                    row[num_prefix:] = 0
                    nothing = naive_logits(model, entering[0][b], row)
                    found = found - naive_score(model, nothing, score)
                maps[b, :, i, j] = found[own]
    return maps


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(
    ("score", "multi_label", "baseline"),
    [
        ("logit", True, "zeros"),
        ("logit", True, "none"),
        ("probability", True, "zeros"),
        ("probability", False, "none"),
    ],
)
@torch.no_grad()
def test_maps_are_those_of_a_naive_loop(
    vit, toy_images, toy_classes, mask, score, multi_label, baseline
):
    vit.multi_label = multi_label
    method = TokenReciproCAM(mask=mask, score=score, baseline=baseline, chunk_rows=50)
    found = method(vit, toy_images, toy_classes)
    expected = naive_maps(vit, toy_images, toy_classes, mask, score, baseline)
    assert found.std() > 1e-4
    assert_close(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("chunk_rows", [1, 43, 1000])
def test_the_size_of_chunks_changes_nothing_but_the_number_of_passes(
    toy_vit, toy_images, toy_classes, mask, chunk_rows
):
    rows = []
    toy_vit.features.network.blocks[-1].attn.register_forward_hook(
        lambda _module, inputs, output: rows.append((len(inputs[0]), output.requires_grad))
    )
    first = []
    toy_vit.features.network.blocks[0].register_forward_hook(
        lambda _module, inputs, _output: first.append(len(inputs[0]))
    )
    with torch.enable_grad():
        maps = TokenReciproCAM(mask=mask, chunk_rows=chunk_rows)(toy_vit, toy_images, toy_classes)
    assert first == [3]
    assert len(rows) == -(-3 * 43 // chunk_rows)
    assert sum(count for count, _ in rows) == 3 * 43
    assert not any(needs_gradient for _, needs_gradient in rows)
    expected = TokenReciproCAM(mask=mask)(toy_vit, toy_images, toy_classes)
    assert_close(maps, expected, rtol=1e-9, atol=1e-12)


def test_the_baseline_adds_the_same_to_a_whole_map(toy_vit, toy_images, toy_classes):
    maps, plain = (
        TokenReciproCAM(baseline=baseline)(toy_vit, toy_images, toy_classes)
        for baseline in ("zeros", "none")
    )
    shift = plain - maps
    assert_close(shift, shift[:, :, :1, :1].expand_as(shift), rtol=1e-9, atol=1e-12)
    stretched, expected = (normalise_minmax(one.flatten(0, 1)) for one in (maps, plain))
    assert_close(stretched, expected, rtol=1e-7, atol=1e-9)


# Torch holds the attention of all heads where it has no fused kernel: for float64 on a GPU.
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("chunk_rows", [10, 20])
def test_no_tensor_is_larger_than_a_chunk_needs(
    toy_vit, toy_images, toy_classes, largest_tensor, chunk_rows, fused, device
):
    if fused and device.type != "cpu":
        pytest.skip("torch's fused attention knows float64 on a CPU alone")
    method = TokenReciproCAM(chunk_rows=chunk_rows)
    hidden, attention = chunk_rows * 43 * 4 * 16, chunk_rows * 2 * 43 * 43
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION if fused else SDPBackend.MATH):
        largest = largest_tensor(lambda: method(toy_vit, toy_images, toy_classes))
    assert largest == (hidden if fused else max(hidden, attention))


def test_a_network_without_layers_before_the_last_is_refused(toy_vit, toy_images, toy_classes):
    del toy_vit.features.network.blocks[1:]
    with pytest.raises(WsssError, match="tokens that are masked"):
        TokenReciproCAM()(toy_vit, toy_images, toy_classes)


@pytest.mark.parametrize(
    "options",
    [{"mask": "gaussian"}, {"score": "softmax"}, {"baseline": "minimum"}, {"chunk_rows": 0}],
    ids=str,
)
def test_unknown_options_are_refused(options):
    with pytest.raises(ValueError, match="expected"):
        TokenReciproCAM(**options)
