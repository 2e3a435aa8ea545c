import copy

import numpy as np
import pytest
import pytorch_grad_cam
import torch
import torchcam.methods
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torch.testing import assert_close

from wsss.cams.cam import CAM
from wsss.cams.core.postprocess import normalise_minmax, resize
from wsss.cams.gradcam import GradCAM, LayerCAM, fused_layers
from wsss.errors import WsssError
from wsss.models import SplitClassifier, TimmBackbone

METHODS = [GradCAM, LayerCAM]
LAYERS = {"resnet18": ("layer3", "layer4"), "tf_efficientnet_lite0": ("blocks.4", "blocks.6")}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("layers", [None, ("1",), ("1", "2")])
def test_a_batch_has_the_maps_of_its_images(toy_mlp, toy_images, toy_classes, method, layers):
    explain = method(layers=layers)
    together = explain(toy_mlp, toy_images, toy_classes)
    for index in range(3):
        alone = explain(toy_mlp, toy_images[index : index + 1], toy_classes[index : index + 1])
        assert_close(together[index : index + 1], alone, rtol=1e-9, atol=1e-12)


def test_on_a_linear_head_it_is_cam_over_the_cells_for_every_class(toy, toy_images, every_class):
    maps = GradCAM()(toy, toy_images, every_class)
    cam = CAM()(toy, toy_images, every_class)
    assert_close(42 * maps, cam, rtol=1e-9, atol=1e-12)
    same = [normalise_minmax(one.relu().flatten(0, 1)) for one in (maps, cam)]
    assert_close(*same, rtol=1e-9, atol=1e-12)


def test_gradients_are_finite_differences_of_the_logit(toy_mlp, toy_images, device):
    image, classes = toy_images[:1], torch.tensor([[3, 1]], device=device)
    with torch.no_grad():
        features = toy_mlp.features(image)
        step = 1e-6
        basis = step * torch.eye(features.numel()).to(features).view(-1, *features.shape[1:])
        slopes = (toy_mlp.head(features + basis) - toy_mlp.head(features - basis)) / (2 * step)
        gradients = slopes[:, classes[0]].T.view(2, *features.shape[1:])
    weighted = torch.einsum("nk,khw->nhw", gradients.mean(dim=(2, 3)), features[0])
    assert_close(GradCAM()(toy_mlp, image, classes)[0], weighted, rtol=1e-5, atol=1e-9)
    elementwise = (gradients.clamp(min=0) * features[0]).sum(dim=1)
    assert_close(LayerCAM()(toy_mlp, image, classes)[0], elementwise, rtol=1e-5, atol=1e-9)


def test_a_constant_added_to_all_logits_changes_nothing(toy_mlp, toy_images, toy_classes):
    before = GradCAM()(toy_mlp, toy_images, toy_classes)
    with torch.no_grad():
        toy_mlp.head.layers[-1].bias += 7
    assert_close(GradCAM()(toy_mlp, toy_images, toy_classes), before, rtol=1e-12, atol=0)


def test_the_scale_of_the_features_does_not_change_the_normalised_map(toy, toy_images, toy_classes):
    before = GradCAM()(toy, toy_images, toy_classes)
    with torch.no_grad():
        toy.features.network[2][0].weight *= 3
        toy.features.network[2][0].bias *= 3
    after = GradCAM()(toy, toy_images, toy_classes)
    assert_close(after, 3 * before, rtol=1e-9, atol=1e-12)
    assert_close(
        normalise_minmax(after.relu().flatten(0, 1)),
        normalise_minmax(before.relu().flatten(0, 1)),
        rtol=1e-9,
        atol=1e-12,
    )


def test_maps_of_a_head_that_is_not_linear_do_not_sum_to_its_logit(
    toy_mlp, toy_images, every_class
):
    sums = GradCAM()(toy_mlp, toy_images, every_class).sum(dim=(2, 3)) * 42
    assert ((sums / 42 - toy_mlp(toy_images)).abs() > 1e-3).all()


@pytest.mark.parametrize("method", METHODS)
def test_layers_are_fused_as_by_hand_in_any_order(toy_mlp, toy_images, toy_classes, method):
    one = method(layers=("1",))(toy_mlp, toy_images, toy_classes)
    zero = method(layers=("0",))(toy_mlp, toy_images, toy_classes)
    assert (one.shape[2:], zero.shape[2:]) == ((7, 6), (14, 12))
    expected = torch.zeros_like(zero)
    for image in range(3):
        for n in range(2):
            for maps in (one, zero):
                rectified = maps[image, n].clamp(min=0)
                stretched = (rectified - rectified.min()) / (rectified.max() - rectified.min())
                expected[image, n] += resize(stretched[None, None], (14, 12))[0, 0] / 2
    for layers in (("0", "1"), ("1", "0")):
        found = method(layers=layers)(toy_mlp, toy_images, toy_classes)
        assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_the_layer_before_the_head_is_the_default(toy_mlp, toy_images, toy_classes):
    assert_close(
        GradCAM(layers=["2"])(toy_mlp, toy_images, toy_classes),
        GradCAM()(toy_mlp, toy_images, toy_classes),
        rtol=1e-12,
        atol=0,
    )


def test_fusing_constant_maps_gives_zeros():
    assert (fused_layers([torch.ones(1, 2, 3, 3), torch.zeros(1, 2, 5, 4)]) == 0).all()


def test_layers_that_a_model_lacks_are_refused_with_those_it_has(toy, toy_images, toy_classes):
    explain = GradCAM(layers=("1", "layer9"))
    with pytest.raises(WsssError, match=r"^layers=.*layer9.\. Expected some of 0, 1, 2"):
        explain.check(toy)
    with pytest.raises(WsssError):
        explain(toy, toy_images, toy_classes)
    with pytest.raises(ValueError, match="names of layers"):
        GradCAM(layers=())
    with pytest.raises(ValueError, match=r"list of names, such as \[layer4\]"):
        GradCAM(layers="layer4")


def test_classes_out_of_range_are_refused(toy, toy_images, device):
    with pytest.raises(IndexError, match="expected 0…4"):
        GradCAM()(toy, toy_images, torch.tensor([[5]] * 3, device=device))


@pytest.mark.parametrize("layers", [None, ("0", "1")])
def test_nothing_is_left_behind_also_after_an_error(toy_mlp, toy_images, toy_classes, layers):
    toy_mlp.head.layers[-1].weight.requires_grad_(False)
    needs = [parameter.requires_grad for parameter in toy_mlp.parameters()]
    maps = GradCAM(layers=layers)(toy_mlp, toy_images, toy_classes)
    assert not maps.requires_grad
    toy_mlp.head.layers[1] = nn.Unflatten(1, (3, 5))
    with pytest.raises(RuntimeError):
        GradCAM(layers=layers)(toy_mlp, toy_images, toy_classes)
    assert needs == [parameter.requires_grad for parameter in toy_mlp.parameters()]
    assert all(parameter.grad is None for parameter in toy_mlp.parameters())
    assert not any(module._forward_hooks for module in toy_mlp.modules())
    assert not any(module._backward_hooks for module in toy_mlp.modules())


def test_backward_passes_end_at_the_layer(toy_mlp, toy_images, toy_classes):
    grad_modes = []
    toy_mlp.features.register_forward_hook(
        lambda _module, _inputs, output: grad_modes.append(output.requires_grad)
    )
    with torch.enable_grad():
        GradCAM()(toy_mlp, toy_images, toy_classes)
    assert grad_modes == [False]


@pytest.fixture(scope="module", params=list(LAYERS))
def network(request, device):
    """A split classifier of random weights, seeded, in float64, and two images.

    In float32, sums in another order change its maps by 8 ε of their largest value; that value is
    ten times a map's span, so that stretched to [0, 1] they would differ by 1e-5.
    """
    torch.manual_seed(0)
    model = SplitClassifier.linear(TimmBackbone(request.param, None), 6, bias=True)
    # Random BatchNorm statistics, as random weights alone make features that hardly vary.
    generator = torch.Generator().manual_seed(1)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.bias.data.normal_(0, 0.3, generator=generator)
    # Positive, so that maps are not cut to nothing by the ReLU.
    model.head.linear.weight.data.abs_()
    images = torch.rand(2, 3, 64, 96, generator=generator)
    return request.param, model.to(device).double().eval(), images.to(device).double()


CLASSES = torch.tensor([[0, 5, 2], [3, 3, 1]])


def normalised(maps):
    return normalise_minmax(maps.relu())


def assert_drawn_by_pytorch_grad_cam(extractor, images, found):
    """`found` are its maps of all classes."""
    # It resizes to the image; the finest layer's size leaves that layer's maps as they are.
    extractor.get_target_width_height = lambda _images: found.shape[:1:-1]
    for n in range(3):
        targets = [ClassifierOutputTarget(int(c)) for c in CLASSES[:, n]]
        maps = torch.from_numpy(np.asarray(extractor(images, targets)))
        assert maps.amax() > 0.4
        # It rounds maps in [0, 1] to single precision. Up to five such roundings, of ε / 2 each
        # (resizing, the mean of layers, two steps of stretching), change a value, the lowest and
        # the highest one of a map; stretching adds up what they do to the three: 7.5 ε. Those of a
        # bilinear interpolation, with four terms, are within as much again.
        rounding = 16 * torch.finfo(torch.float32).eps
        assert_close(found[:, n].cpu(), normalised(maps).double(), rtol=0, atol=rounding)


def test_torchcam_and_pytorch_grad_cam_draw_the_same_class_activation_maps(network):
    _, model, images = network
    found = normalised(CAM()(model, images, CLASSES.to(images.device)))
    reference = copy.deepcopy(model)
    layer = reference.features
    with torchcam.methods.CAM(reference, layer, fc_layer=reference.head.linear) as extractor:
        with torch.no_grad():
            logits = reference(images)
        for n in range(3):
            (maps,) = extractor(CLASSES[:, n].tolist(), logits, normalized=False)
            assert_close(found[:, n], normalised(maps), rtol=1e-9, atol=1e-9)
    # It has no CAM; on a linear head its Grad-CAM is one.
    with pytorch_grad_cam.GradCAM(reference, [layer]) as extractor:
        assert_drawn_by_pytorch_grad_cam(extractor, images, found)


@pytest.mark.parametrize("method", METHODS)
def test_torchcam_draws_the_same_maps(network, method):
    name, model, images = network
    layer = LAYERS[name][-1]
    found = normalised(method(layers=(layer,))(model, images, CLASSES.to(images.device)))
    reference = copy.deepcopy(model)
    with getattr(torchcam.methods, method.__name__)(
        reference, target_layer=reference.inner_layers[layer]
    ) as extractor:
        for n in range(3):
            logits = reference(images)
            (maps,) = extractor(CLASSES[:, n].tolist(), logits)
            assert maps.amax() > 0.4
            assert_close(found[:, n], normalised(maps), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("fused", [False, True], ids=["one layer", "two layers"])
def test_pytorch_grad_cam_draws_the_same_maps(network, method, fused):
    name, model, images = network
    layers = LAYERS[name] if fused else LAYERS[name][-1:]
    found = normalised(method(layers=layers)(model, images, CLASSES.to(images.device)))
    reference = copy.deepcopy(model)
    modules = [reference.inner_layers[layer] for layer in layers]
    with getattr(pytorch_grad_cam, method.__name__)(reference, modules) as extractor:
        assert_drawn_by_pytorch_grad_cam(extractor, images, found)
