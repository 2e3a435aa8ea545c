import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wsss.cams.core.gradients import mean_gradients
from wsss.cams.fg_cam import FGCAM, fg_cam
from wsss.errors import InvalidOptionError, WsssError
from wsss.models import JoinedBackbones, LinearHead, SplitClassifier

CLOSE = {"rtol": 1e-9, "atol": 1e-12}


def batch_norm(channels):
    layer = nn.BatchNorm2d(channels)
    nn.init.normal_(layer.weight, 0.3)
    nn.init.normal_(layer.bias, 0.3)
    nn.init.uniform_(layer.running_var, 0.5, 2.0)
    return layer


@pytest.fixture
def vgg(classifier):
    """Convolutions, batch norm, ReLUs and pooling in a row, as in VGG-BN."""
    return classifier(
        lambda: nn.Conv2d(3, 4, 3, padding=1),
        lambda: batch_norm(4),
        lambda: nn.ReLU(inplace=True),
        lambda: nn.MaxPool2d(2),
        lambda: nn.Conv2d(4, 5, 3, padding=1),
        lambda: nn.ReLU(inplace=True),
        lambda: nn.Conv2d(5, 5, 3, padding=1),
        lambda: nn.ReLU(inplace=True),
        lambda: nn.MaxPool2d(2),
    )


@pytest.fixture
def images(device):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(2, 3, 8, 8, dtype=torch.float64, generator=generator).to(device)


@pytest.fixture
def classes(device):
    return torch.tensor([[0, 2], [1, 1]], device=device)


def naive_map(model, image, label, target, base):
    """Section 2.8 for a plain network and one image, layer by layer."""
    x = model.features.normalise(image[None])
    inputs = []
    for layer in model.features.network:
        inputs.append(x.clone())
        x = layer(x)
    if base == "grad":
        leaf = x.detach().requires_grad_()
        with torch.enable_grad():
            gradient = torch.autograd.grad(model.head(leaf)[0, label], leaf)[0]
        weights = [gradient[0, k].mean() for k in range(x.shape[1])]
    else:
        weights = []
        mean = model.features.normalise.mean
        for k in range(x.shape[1]):
            mask = F.interpolate(x[:, k : k + 1], size=image.shape[1:], mode="bilinear")[0, 0]
            span = mask.max() - mask.min()
            mask = (mask - mask.min()) / span if span > 0 else torch.zeros_like(mask)
            masked = mean + mask * (image - mean)
            weights.append(model(masked[None])[0, label].sigmoid())
    components = torch.stack([w * a for w, a in zip(weights, x[0], strict=True)])[None]
    for position in range(len(inputs) - 1, target, -1):
        layer, x = model.features.network[position], inputs[position]
        lowest, highest = float(x.min()), float(x.max())
        x.requires_grad_()
        with torch.enable_grad():
            if isinstance(layer, nn.Conv2d) and position == 0:
                w = layer.weight.detach()
                low, high = torch.full_like(x, lowest), torch.full_like(x, highest)
                low, high = low.requires_grad_(), high.requires_grad_()
                parts = [(x, w), (low, -w.clamp(min=0)), (high, -w.clamp(max=0))]
            elif isinstance(layer, nn.Conv2d):
                w = layer.weight.detach()
                plus = x.detach().clamp(min=0).requires_grad_()
                minus = x.detach().clamp(max=0).requires_grad_()
                parts = [(plus, w.clamp(min=0)), (minus, w.clamp(max=0))]
            elif isinstance(layer, nn.MaxPool2d):
                plus = x.detach().clamp(min=0).requires_grad_()
                parts = [(plus, None)]
            else:
                continue
            pad = getattr(layer, "padding", 0)
            outputs = sum(layer(v) if w is None else F.conv2d(v, w, padding=pad) for v, w in parts)
            share = torch.zeros_like(outputs)
            nonzero = outputs != 0
            share[nonzero] = (components[nonzero] / outputs[nonzero]).detach()
            leaves = [leaf for leaf, _ in parts]
            gradients = torch.autograd.grad((outputs * share.detach()).sum(), leaves)
        components = sum(
            leaf.detach() * gradient for leaf, gradient in zip(leaves, gradients, strict=True)
        )
    return components[0].sum(dim=0)


@pytest.mark.parametrize("base", ["grad", "score"])
@pytest.mark.parametrize(
    ("target", "position"), [(None, 8), ("7", 7), ("4", 4), ("3", 3), ("input", -1)]
)
def test_maps_are_those_of_the_formulas_layer_by_layer(
    vgg, images, classes, base, target, position
):
    found = FGCAM(base=base, target_layer=target)(vgg, images, classes)
    with torch.no_grad():
        expected = torch.stack(
            [
                torch.stack([naive_map(vgg, image, int(c), position, base) for c in row])
                for image, row in zip(images, classes, strict=True)
            ]
        )
    torch.testing.assert_close(found, expected, **CLOSE)


def test_the_number_of_classes_a_pass_does_not_matter(vgg, images, device, monkeypatch):
    classes = torch.tensor([[0, 1, 2], [2, 0, 1]], device=device)
    expected = FGCAM(target_layer="3")(vgg, images, classes)
    monkeypatch.setattr(fg_cam, "CLASSES_PER_PASS", 2)
    torch.testing.assert_close(FGCAM(target_layer="3")(vgg, images, classes), expected, **CLOSE)


@pytest.mark.parametrize("fixture", ["toy", "toy_mlp"])
@pytest.mark.parametrize("target", [None, 2])
def test_at_the_last_layer_it_is_grad_cam(request, fixture, toy_images, toy_classes, target):
    model = request.getfixturevalue(fixture)
    found = FGCAM(target_layer=target)(model, toy_images, toy_classes)
    for b, row in enumerate(toy_classes):
        for n, label in enumerate(row):
            features = model.features(toy_images[b : b + 1]).detach().requires_grad_()
            (gradient,) = torch.autograd.grad(model.head(features)[0, label], features)
            expected = (gradient.mean(dim=(2, 3), keepdim=True) * features).sum(dim=1)[0].detach()
            torch.testing.assert_close(found[b, n], expected, **CLOSE)


def test_target_layers_set_the_resolution(toy, toy_images, toy_classes):
    sizes = {
        name: FGCAM(target_layer=name)(toy, toy_images, toy_classes).shape[2:]
        for name in ("0", "1", "2", "input", 0, -1)
    }
    assert sizes["0"] == sizes["input"] == sizes[0] == (14, 12)
    assert sizes["1"] == sizes["2"] == sizes[-1] == (7, 6)


class Residual(nn.Module):
    """Two branches and their functional sum, as written by hand."""

    def __init__(self, in_place):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(5, 5, 3, padding=1), nn.ReLU(inplace=True))
        self.in_place = in_place

    def forward(self, x):
        out = self.body(x)
        if self.in_place:
            out += x
        else:
            out = out + x
        return F.relu(out, inplace=self.in_place)


@pytest.mark.parametrize("in_place", [False, True])
def test_both_branches_of_a_residual_block_get_their_share(classifier, images, classes, in_place):
    model = classifier(lambda: nn.Conv2d(3, 5, 3, padding=1), lambda: Residual(in_place))
    maps = FGCAM(target_layer="0")(model, images, classes)
    with torch.no_grad():
        x = model.features.network[0](model.features.normalise(images))
        body = model.features.network[1].body
        u = body(x)
        features = (u + x).relu()
        weights = model.head.weight[classes] / 64
        components = (weights[..., None, None] * features[:, None]).transpose(0, 1)
        total = u + x.relu()
        share = torch.where(total > 0, u / total, 0.5)
        w = body[0].weight
        plus, minus = x.clamp(min=0), x.clamp(max=0)
        w_plus, w_minus = w.clamp(min=0), w.clamp(max=0)
        outputs = F.conv2d(plus, w_plus, padding=1) + F.conv2d(minus, w_minus, padding=1)
        for n in range(2):
            ratio = components[n] * share / outputs
            through = plus * F.conv_transpose2d(ratio, w_plus, padding=1)
            through = through + minus * F.conv_transpose2d(ratio, w_minus, padding=1)
            expected = (through + components[n] * (1 - share)).sum(dim=1)
            torch.testing.assert_close(maps[:, n], expected, **CLOSE)


def test_windows_that_overlap_unevenly_leave_no_chequerboard(classifier, classes, device):
    """An even image: only the borders differ. A stride of 2 between, with a kernel of 3 or 5."""
    model = classifier(
        lambda: nn.Conv2d(3, 4, 1),
        lambda: nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4),
        nn.ReLU,
        lambda: nn.Conv2d(4, 5, 1),
        lambda: nn.Conv2d(5, 5, 5, stride=2, padding=2, groups=5),
    )
    for weight in model.parameters():
        weight.data.abs_()
    images = torch.full((2, 3, 48, 48), 0.7, dtype=torch.float64, device=device)
    inside = (..., slice(16, 32), slice(16, 32))
    even, uneven = (
        FGCAM(target_layer="0", even_strides=choice)(model, images, classes)
        for choice in (True, False)
    )
    expected = even[inside].mean(dim=(2, 3), keepdim=True).expand_as(even[inside])
    torch.testing.assert_close(even[inside], expected, **CLOSE)
    assert (uneven[inside].amax(dim=(2, 3)) / uneven[inside].amin(dim=(2, 3))).min() > 4
    torch.testing.assert_close(even.sum(dim=(2, 3)), uneven.sum(dim=(2, 3)), **CLOSE)


def test_a_network_without_strided_convolutions_has_the_published_maps(vgg, images, classes):
    even, published = (
        FGCAM(target_layer="input", even_strides=choice)(vgg, images, classes)
        for choice in (True, False)
    )
    assert torch.equal(even, published)


class Concatenation(nn.Module):
    """Two convolutions side by side; without a bias every output has a positive contribution."""

    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Conv2d(4, 2, 1, bias=False), nn.Conv2d(4, 3, 1, bias=False)

    def forward(self, x):
        return F.relu(torch.cat([self.one(x), self.other(x)], dim=1))


def test_concatenations_and_average_pooling_conserve_the_sum(classifier, images, classes):
    model = classifier(
        lambda: nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU,
        Concatenation,
        lambda: nn.AvgPool2d(2),
        nn.Dropout,
    )
    maps = FGCAM(target_layer="1")(model, images, classes)
    base = FGCAM(target_layer=None)(model, images, classes)
    torch.testing.assert_close(maps.sum(dim=(2, 3)), base.sum(dim=(2, 3)), **CLOSE)


@pytest.mark.parametrize("target", ["3", "input"])
def test_a_plain_network_conserves_the_sum_from_the_last_layer_to_any(vgg, images, classes, target):
    maps = FGCAM(target_layer=target)(vgg, images, classes)
    base = FGCAM(target_layer=None)(vgg, images, classes)
    torch.testing.assert_close(maps.sum(dim=(2, 3)), base.sum(dim=(2, 3)), rtol=1e-6, atol=1e-9)


def test_folded_batch_norm_is_the_convolution_with_its_weights(vgg, images, classes):
    folded = FGCAM(target_layer="input", fold_bn=True)(vgg, images, classes)
    plain = FGCAM(target_layer="input")(vgg, images, classes)
    assert not torch.allclose(folded, plain)
    with torch.no_grad():
        convolution, norm = vgg.features.network[:2]
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        convolution.weight *= scale[:, None, None, None]
        convolution.bias -= norm.running_mean
        convolution.bias *= scale
        convolution.bias += norm.bias
        vgg.features.network[1] = nn.Identity()
    expected = FGCAM(target_layer="input")(vgg, images, classes)
    torch.testing.assert_close(folded, expected, rtol=1e-7, atol=1e-10)


def test_denoised_maps_have_zero_mean_at_the_last_layer(toy, toy_images, toy_classes):
    maps = FGCAM(denoise=True, target_layer=None)(toy, toy_images, toy_classes)
    torch.testing.assert_close(maps.mean(dim=(2, 3)), torch.zeros_like(maps[..., 0, 0]), **CLOSE)


def test_score_weights_take_a_pass_for_each_channel(vgg, images, classes):
    seen = []
    handle = vgg.features.register_forward_hook(lambda _module, inputs, _: seen.append(inputs[0]))
    FGCAM(base="score")(vgg, images, classes)
    handle.remove()
    assert sum(map(len, seen)) == 2 * (1 + 5)


def test_mean_gradients_of_a_linear_head_are_its_weights(toy, toy_images, toy_classes):
    found = mean_gradients(toy.head, features := toy.features(toy_images), toy_classes)
    torch.testing.assert_close(
        found * features[0, 0].numel(), toy.head.weight[toy_classes], **CLOSE
    )


@pytest.mark.parametrize("target", ["layer9", 9, -4])
def test_a_target_layer_that_is_not_there_is_refused_with_those_that_are(toy, target):
    with pytest.raises(WsssError, match="expected one of 0, 1, 2, a position"):
        FGCAM(target_layer=target).check(toy)


def test_a_model_without_inner_layers_is_refused():
    model = SplitClassifier(nn.Conv2d(3, 4, 1), LinearHead(4, 2))
    with pytest.raises(WsssError, match="inner feature maps"):
        FGCAM().check(model)


def test_an_error_in_the_pass_leaves_no_hook(vgg, images, classes):
    with pytest.raises(RuntimeError):
        FGCAM()(vgg, images[:, :2], classes)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in vgg.modules())


@pytest.mark.parametrize("options", [{"base": "lime"}, {"kept_fraction": 0.0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        FGCAM(**options)


def test_a_layer_of_one_of_two_networks_is_refused():
    backbone = JoinedBackbones("tf_efficientnet_lite0+resnet18", None)
    model = SplitClassifier.linear(backbone, 2).eval()
    with pytest.raises(InvalidOptionError, match=r"target_layer.*input"):
        FGCAM().check(model)
    image, classes = torch.rand(1, 3, 64, 64), torch.tensor([[0, 1]])
    method = FGCAM(target_layer="input")
    method.check(model)
    coarse, fine = (one.maps(model, image, classes) for one in (FGCAM(target_layer=None), method))
    torch.testing.assert_close(fine.sum(dim=(2, 3)), coarse.sum(dim=(2, 3)), rtol=1e-3, atol=1e-4)
