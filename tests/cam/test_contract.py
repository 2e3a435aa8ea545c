"""What every method promises, whatever it computes."""

import copy

import pytest
import torch

from wsss.cam import (
    ADCAM,
    CAM,
    FDCAM,
    FGCAM,
    VSCAM,
    CamMethod,
    ClusterCAM,
    ExtendedCAM,
    GradCAM,
    InferCAM,
    LayerCAM,
    Meng,
    ReCAM,
    ReciproCAM,
)
from wsss.cam.vscam import ChannelProbes
from wsss.stages.forward import share_tensors

METHODS = {
    "cam": (CAM, "toy"),
    "cluster_cam": (ClusterCAM, "toy"),
    "cluster_cam, MLP": (ClusterCAM, "toy_mlp"),
    "fg_cam": (FGCAM, "toy"),
    "fg_cam, MLP": (lambda: FGCAM(target_layer="0"), "toy_mlp"),
    "fg_cam of the image, denoised": (lambda: FGCAM(target_layer="input", denoise=True), "toy"),
    "fg_cam of scores": (lambda: FGCAM(base="score", target_layer=0), "toy"),
    "infer_cam": (InferCAM, "toy"),
    "extended_cam": (ExtendedCAM, "toy"),
    "extended_cam, MLP": (ExtendedCAM, "toy_mlp"),
    "fd_cam": (FDCAM, "toy"),
    "fd_cam, MLP": (FDCAM, "toy_mlp"),
    "gradcam": (GradCAM, "toy_mlp"),
    "gradcam of two layers": (lambda: GradCAM(layers=("1", "2")), "toy"),
    "layercam": (LayerCAM, "toy_mlp"),
    "recipro_cam": (ReciproCAM, "toy"),
    "recipro_cam, MLP": (ReciproCAM, "toy_mlp"),
    "vscam": (VSCAM, "toy_gnn"),
    "vscam of channels": (lambda: VSCAM(probes=ChannelProbes()), "toy_gnn"),
    "ad_cam": (ADCAM, "toy_vit"),
    "meng": (Meng, "toy_opposed"),
    "meng, largest of all opponents": (lambda: Meng(opponents="max", gate=False), "toy_opposed"),
    "recam": (ReCAM, "toy_reactivated"),
}
"""What makes each method, and the fixture of a model it works on."""


@pytest.fixture(params=METHODS)
def case(request):
    make, model = METHODS[request.param]
    return make(), request.getfixturevalue(model)


def state(model):
    return {
        "hooks": [
            len(layer._forward_hooks) + len(layer._forward_pre_hooks) + len(layer._backward_hooks)
            for layer in model.modules()
        ],
        "needs gradients": [parameter.requires_grad for parameter in model.parameters()],
        "gradients": [parameter.grad for parameter in model.parameters()],
        "training": [layer.training for layer in model.modules()],
        "random": torch.get_rng_state().tolist(),
        "parameters": {name: value.clone() for name, value in model.state_dict().items()},
    }


def assert_same_state(model, before):
    after = state(model)
    torch.testing.assert_close(after.pop("parameters"), before.pop("parameters"), rtol=0, atol=0)
    assert after == before


def test_a_method_says_what_it_needs_and_where_it_comes_from(case):
    method, model = case
    assert isinstance(method, CamMethod)
    assert method.provenance.paper
    method.check(model)


def test_maps_are_finite_with_one_for_each_class(case, toy_images, toy_classes):
    method, model = case
    with torch.no_grad():
        maps = method(model, toy_images, toy_classes)
    assert maps.shape[:2] == toy_classes.shape
    assert maps.ndim == 4
    assert maps.dtype == torch.float64
    assert not maps.requires_grad
    assert maps.isfinite().all()


def test_a_batch_gives_what_its_images_give_alone(case, toy_images, toy_classes):
    method, model = case
    with torch.no_grad():
        together = method(model, toy_images, toy_classes)
        alone = [
            method(model, toy_images[i : i + 1], toy_classes[i : i + 1])
            for i in range(len(together))
        ]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-9, atol=1e-12)


# In InferCam the classes of an image share one erased region.
@pytest.mark.parametrize("case", sorted(METHODS.keys() - {"infer_cam"}), indirect=True)
def test_a_class_has_the_same_map_in_any_company(case, toy_images):
    method, model = case
    with torch.no_grad():
        pair = method(model, toy_images, torch.tensor([[0, 3]] * 3))
        swapped = method(model, toy_images, torch.tensor([[3, 0]] * 3))
    torch.testing.assert_close(pair, swapped.flip(1), rtol=1e-9, atol=1e-12)


def test_single_precision_is_close_to_double(case, toy_images, toy_classes):
    method, model = case
    with torch.no_grad():
        double = method(model, toy_images, toy_classes)
        single_method, single_model = copy.deepcopy((method, model))
        for part in (single_model, *(v for v in vars(single_method).values())):
            if isinstance(part, torch.nn.Module):
                part.float()
        single = single_method(single_model, toy_images.float(), toy_classes)
    assert single.dtype == torch.float32
    scale = double.abs().amax().clamp(min=1e-12)
    torch.testing.assert_close(single.double() / scale, double / scale, rtol=1e-4, atol=1e-4)


def test_nothing_is_left_behind(case, toy_images, toy_classes):
    method, model = case
    model.requires_grad_(True)
    before = state(model)
    with torch.no_grad():
        method(model, toy_images, toy_classes)
    assert_same_state(model, before)
    assert not torch.is_grad_enabled() or torch.is_inference_mode_enabled() is False


@pytest.mark.parametrize("part", ["features", "head"])
def test_nothing_is_left_behind_by_a_failure(case, part, toy_images, toy_classes):
    method, model = case
    before = state(model)
    modules = list(getattr(model, part).modules())
    raised = []

    def fail(_module, _inputs):
        raised.append(True)
        raise ArithmeticError("out of numbers")

    handle = modules[-1].register_forward_pre_hook(fail)
    try:
        method(model, toy_images, toy_classes)
    except ArithmeticError:
        pass
    finally:
        handle.remove()
    if part == "features":
        assert raised
    assert_same_state(model, before)


def test_a_run_is_repeated_exactly(case, toy_images, toy_classes):
    method, model = case
    with torch.no_grad():
        first = method(model, toy_images, toy_classes)
        torch.rand(7)  # The global generator has no say.
        again = method(model, toy_images, toy_classes)
    torch.testing.assert_close(first, again, rtol=0, atol=0)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_constant_images_give_finite_maps(case, value, toy_images, toy_classes):
    method, model = case
    with torch.no_grad():
        maps = method(model, torch.full_like(toy_images, value), toy_classes)
    assert maps.isfinite().all()


@pytest.mark.parametrize("wrong", [-1, 5])
def test_a_class_out_of_range_is_refused(case, wrong, toy_images):
    method, model = case
    with pytest.raises(IndexError, match=r"expected 0…4"):
        method(model, toy_images, torch.tensor([[0, wrong]] * 3))


def test_a_copy_that_shares_tensors_gives_the_same_maps(case, toy_images, toy_classes):
    method, model = case
    copied_method, copied_model = share_tensors((method, model))
    assert all(
        one is other
        for one, other in zip(model.parameters(), copied_model.parameters(), strict=True)
    )
    with torch.no_grad():
        expected = method(model, toy_images, toy_classes)
        found = copied_method(copied_model, toy_images, toy_classes)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
