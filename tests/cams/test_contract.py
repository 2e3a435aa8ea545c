"""What every method promises, whatever it computes."""

import copy
import pickle
import random

import numpy as np
import pytest
import torch

from wsss.cams.ad_cam import ADCAM
from wsss.cams.cam import CAM
from wsss.cams.clip_text import ClipText
from wsss.cams.cluster_cam import ClusterCAM
from wsss.cams.core.method import CamMethod, check_is_method
from wsss.cams.extended_cam import ExtendedCAM
from wsss.cams.fd_cam import FDCAM
from wsss.cams.fg_cam import FGCAM
from wsss.cams.fused import FusedCAM
from wsss.cams.gradcam import GradCAM, LayerCAM
from wsss.cams.infer_cam import InferCAM
from wsss.cams.meng import Meng
from wsss.cams.recam import ReCAM
from wsss.cams.recipro_cam import ReciproCAM
from wsss.cams.token_recipro_cam import TokenReciproCAM
from wsss.cams.vscam import VSCAM, ChannelProbes
from wsss.errors import WsssError
from wsss.stage_tools.forward_passes import share_tensors

METHODS = {
    "cam": (CAM, "toy"),
    "cluster_cam": (ClusterCAM, "toy"),
    "cluster_cam, MLP": (ClusterCAM, "toy_mlp"),
    "cluster_cam, spectral, blurred": (
        lambda: ClusterCAM(num_clusters="elbow", algorithm="spectral", fill="blur", cic=True),
        "toy",
    ),
    "fg_cam": (FGCAM, "toy"),
    "fg_cam, MLP": (lambda: FGCAM(target_layer="0"), "toy_mlp"),
    "fg_cam of the image, denoised": (lambda: FGCAM(target_layer="input", denoise=True), "toy"),
    "fg_cam of scores": (lambda: FGCAM(base="score", target_layer=0), "toy"),
    "infer_cam": (InferCAM, "toy"),
    "infer_cam, official": (lambda: InferCAM(compat="official"), "toy"),
    "extended_cam": (ExtendedCAM, "toy"),
    "extended_cam, MLP": (ExtendedCAM, "toy_mlp"),
    "extended_cam of measured width": (lambda: ExtendedCAM(sigma="empirical"), "toy"),
    "fd_cam": (FDCAM, "toy"),
    "fd_cam, MLP": (FDCAM, "toy_mlp"),
    "gradcam": (GradCAM, "toy_mlp"),
    "gradcam of two layers": (lambda: GradCAM(layers=("1", "2")), "toy"),
    "layercam": (LayerCAM, "toy_mlp"),
    "recipro_cam": (ReciproCAM, "toy"),
    "recipro_cam, MLP": (ReciproCAM, "toy_mlp"),
    "recipro_cam of neighbours": (lambda: ReciproCAM(mask="gaussian_neighbour"), "toy_mlp"),
    "recipro_cam without a baseline": (lambda: ReciproCAM(baseline="none"), "toy_mlp"),
    "token_recipro_cam": (TokenReciproCAM, "toy_vit"),
    "token_recipro_cam of one patch": (
        lambda: TokenReciproCAM(mask="delta", score="probability", baseline="none"),
        "toy_vit",
    ),
    "token_recipro_cam, rotary positions": (TokenReciproCAM, "toy_rotary"),
    "token_recipro_cam, no class token": (TokenReciproCAM, "toy_tower"),
    "vscam": (VSCAM, "toy_gnn"),
    "vscam of channels": (lambda: VSCAM(probes=ChannelProbes()), "toy_gnn"),
    "ad_cam": (ADCAM, "toy_vit"),
    "ad_cam, rotary positions": (ADCAM, "toy_rotary"),
    "ad_cam, no class token": (ADCAM, "toy_tower"),
    "cam of tokens": (CAM, "toy_rotary"),
    "gradcam of tokens": (GradCAM, "toy_tower"),
    "layercam of tokens": (LayerCAM, "toy_rotary"),
    "fd_cam of tokens": (FDCAM, "toy_tower"),
    "recipro_cam of tokens": (ReciproCAM, "toy_rotary"),
    "extended_cam of tokens": (ExtendedCAM, "toy_tower"),
    "meng": (Meng, "toy_opposed"),
    "meng, largest of all opponents": (lambda: Meng(opponents="max", gate=False), "toy_opposed"),
    "meng of fine-tuned pairs": (Meng, "toy_tuned"),
    "recam": (ReCAM, "toy_reactivated"),
    "clip_text": (ClipText, "toy_text"),
    "clip_text of Grad-CAM alone": (lambda: ClipText(attention_layers=0), "toy_text"),
    "fused": (lambda: FusedCAM([CAM(), LayerCAM(), FGCAM()]), "toy"),
    "fused, arithmetic": (lambda: FusedCAM([FDCAM(), GradCAM()], mean="arithmetic"), "toy_mlp"),
}
"""What makes each method, and the fixture of a model it works on."""


PAIRED = "ad_cam of two networks"
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@pytest.fixture
def exact(device):
    """Tolerances of what is computed twice: a GPU adds up gradients of pooling in any order."""
    return {"rtol": 0, "atol": 0} if device.type == "cpu" else {"rtol": 1e-9, "atol": 1e-12}


@pytest.fixture(params=[*METHODS, PAIRED])
def case(request, device):
    if request.param == PAIRED:
        attention_network = request.getfixturevalue("toy_vit").features
        return ADCAM(attention_network=attention_network), request.getfixturevalue("toy")
    make, model = METHODS[request.param]
    return make(), request.getfixturevalue(model)


def networks(method, model):
    """The model and the networks that a method has of its own."""
    own = (part for part in vars(method).values() if isinstance(part, torch.nn.Module))
    return torch.nn.ModuleList([model, *own])


def mixed(method, model):
    """Flags in which nothing can be put on or off as a whole without being noticed."""
    for index, parameter in enumerate(networks(method, model).parameters()):
        parameter.requires_grad_(index % 3 == 0)
    for layer in networks(method, model).modules():
        if isinstance(layer, torch.nn.Linear | torch.nn.ReLU):  # These act alike in both modes.
            layer.training = True


def state(method, model):
    every = networks(method, model)
    return {
        "hooks": [[len(getattr(layer, hooks)) for hooks in HOOKS] for layer in every.modules()],
        "needs gradients": [parameter.requires_grad for parameter in every.parameters()],
        "gradients": [parameter.grad for parameter in every.parameters()],
        "training": [layer.training for layer in every.modules()],
        "random": torch.get_rng_state().tolist(),
        "random of GPUs": [one.tolist() for one in torch.cuda.get_rng_state_all()],
        "random of Python": random.getstate(),
        "random of NumPy": pickle.dumps(np.random.get_state()),  # noqa: NPY002
        "grad mode": torch.is_grad_enabled(),
        "parameters": {name: value.clone() for name, value in every.state_dict().items()},
    }


def assert_same_state(method, model, before):
    after = state(method, model)
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


def test_maps_are_finite_in_mixed_precision(case, toy_images, toy_classes, device):
    """How far they are from those of float32 is in docs/speed.md."""
    method, model = case
    networks(method, model).float()
    images = toy_images.float()
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
        maps = method(model, images, toy_classes)
    assert maps.shape[:2] == toy_classes.shape
    assert maps.isfinite().all()
    assert maps.amax() > 0
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


IN_COMPANY = {name for name in METHODS if name.startswith(("infer_cam", "clip_text"))}
"""The classes of an image share one erased region, or one soft-max."""


@pytest.mark.parametrize("case", sorted({*METHODS, PAIRED} - IN_COMPANY), indirect=True)
def test_a_class_has_the_same_map_in_any_company(case, toy_images, device):
    method, model = case
    with torch.no_grad():
        pair = method(model, toy_images, torch.tensor([[0, 3]] * 3, device=device))
        swapped = method(model, toy_images, torch.tensor([[3, 0]] * 3, device=device))
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


@pytest.mark.parametrize("grad_mode", [False, True])
def test_nothing_is_left_behind(case, grad_mode, toy_images, toy_classes):
    method, model = case
    mixed(method, model)
    images, classes = toy_images.clone(), toy_classes.clone()
    with torch.set_grad_enabled(grad_mode):
        before = state(method, model)
        maps = method(model, images, classes)
        assert not maps.requires_grad
        assert_same_state(method, model, before)
    torch.testing.assert_close((images, classes), (toy_images, toy_classes), rtol=0, atol=0)
    assert not images.requires_grad


@pytest.mark.parametrize("part", ["features", "head"])
def test_nothing_is_left_behind_by_a_failure(case, part, toy_images, toy_classes):
    method, model = case
    mixed(method, model)
    modules = list(getattr(model, part).modules())
    raised = []

    def fail(_module, _inputs):
        raised.append(True)
        raise ArithmeticError("out of numbers")

    before = state(method, model)
    handle = modules[-1].register_forward_pre_hook(fail)
    try:
        method(model, toy_images, toy_classes)
    except ArithmeticError:
        pass
    finally:
        handle.remove()
    if part == "features":  # Methods that know the weights of a linear head do not run it.
        assert raised
    assert_same_state(method, model, before)


def test_a_run_is_repeated_exactly(case, toy_images, toy_classes, exact):
    method, model = case
    with torch.no_grad():
        first = method(model, toy_images, toy_classes)
        torch.rand(7)  # The global generator has no say.
        again = method(model, toy_images, toy_classes)
    torch.testing.assert_close(first, again, **exact)


def test_inference_mode_is_refused_where_gradients_are_needed_and_else_makes_no_difference(
    case, toy_images, toy_classes, exact
):
    method, model = case
    expected = method(model, toy_images, toy_classes)
    with torch.inference_mode():
        if method.needs_gradients:
            model.features.register_forward_pre_hook(lambda *_: 1 / 0)  # Nothing is computed.
            with pytest.raises(RuntimeError, match=r"call it outside, or under torch\.no_grad\(\)"):
                method(model, toy_images, toy_classes)
            return
        found = method(model, toy_images, toy_classes)
    torch.testing.assert_close(found, expected, **exact)


WITHOUT_A_KERNEL = ("Sum", "View", "UnsafeView", "Squeeze", "Unsqueeze", "T", "Permute")
"""Backward operations that make a view of the gradient, and launch nothing on a GPU."""
PRODUCTS = ("Addmm", "Mm", "Bmm", "Mv", "Dot", "Linear", "Baddbmm")


def test_no_backward_pass_begins_with_a_matrix_product(case, toy_images, toy_classes, monkeypatch):
    """On a GPU cuBLAS would find no CUDA context in autograd's thread, of which torch warns."""
    method, model = case
    first = []
    derive = torch.autograd.grad

    def grad(outputs, *args, **kwargs):
        for output in (outputs,) if isinstance(outputs, torch.Tensor) else outputs:
            node = output.grad_fn
            while (name := type(node).__name__.split("Backward")[0]) in WITHOUT_A_KERNEL:
                ((node, _),) = node.next_functions
            first.append(name)
        return derive(outputs, *args, **kwargs)

    monkeypatch.setattr(torch.autograd, "grad", grad)
    method(model, toy_images, toy_classes)
    assert not {*first} & {*PRODUCTS}


def test_images_may_come_from_inference_mode(case, toy_images, toy_classes, exact):
    method, model = case
    with torch.inference_mode():
        images = toy_images.clone()
    assert images.is_inference()
    expected = method(model, toy_images, toy_classes)
    torch.testing.assert_close(method(model, images, toy_classes), expected, **exact)


class Saliency(CamMethod):
    """All that a method of one's own takes: gradients of the logits by the image."""

    needs_gradients = True

    def maps(self, model, images, classes):
        seen = images.detach().requires_grad_()
        logits = model(seen)
        of_classes = [
            torch.autograd.grad(logits[range(len(seen)), column].sum(), seen, retain_graph=True)[0]
            for column in classes.T
        ]
        return torch.stack(of_classes, dim=1).mean(dim=2) + 0 * seen.mean(dim=1, keepdim=True)


@pytest.mark.parametrize("grad_mode", [False, True])
def test_a_method_of_ones_own_takes_one_function(grad_mode, toy, toy_images, toy_classes):
    step = 1e-6 * torch.ones_like(toy_images[:, :, 2:3, 5:6])
    near = toy_images.clone()
    near[:, :, 2:3, 5:6] += step
    before = state(Saliency(), toy)
    with torch.set_grad_enabled(grad_mode):
        maps = Saliency()(toy, toy_images, toy_classes)
    assert_same_state(Saliency(), toy, before)
    assert not maps.requires_grad
    with torch.no_grad():
        rise = (toy(near) - toy(toy_images)).gather(1, toy_classes) / 3e-6
    torch.testing.assert_close(maps[:, :, 2, 5], rise, rtol=1e-4, atol=1e-7)
    with pytest.raises(IndexError, match=r"expected 0…4"):
        Saliency()(toy, toy_images, toy_classes + 9)


IN_PLACE = {"fg_cam": (FGCAM, "toy"), "vscam": (VSCAM, "toy_gnn"), "gradcam": (GradCAM, "toy")}
"""Methods that derive by what enters the head."""


@pytest.mark.parametrize("name", IN_PLACE)
def test_a_head_may_write_to_its_input(request, name, toy_images, toy_classes, exact):
    make, fixture = IN_PLACE[name]
    model = request.getfixturevalue(fixture)
    head = model.head
    maps = []
    for in_place in (False, True):
        model.head = torch.nn.Sequential(torch.nn.ReLU(inplace=in_place), head)
        model.head.num_classes = head.num_classes
        maps.append(make()(model, toy_images, toy_classes))
    torch.testing.assert_close(*maps, **exact)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_constant_images_give_finite_maps(case, value, toy_images, toy_classes):
    method, model = case
    with torch.no_grad():
        maps = method(model, torch.full_like(toy_images, value), toy_classes)
    assert maps.isfinite().all()


@pytest.mark.parametrize("wrong", [-1, 5])
def test_a_class_out_of_range_is_refused(case, wrong, toy_images, device):
    method, model = case
    with pytest.raises(IndexError, match=r"expected 0…4"):
        method(model, toy_images, torch.tensor([[0, wrong]] * 3, device=device))


def test_a_copy_that_shares_tensors_gives_the_same_maps(case, toy_images, toy_classes, exact):
    method, model = case
    copied_method, copied_model = share_tensors((method, model))
    assert all(
        one is other
        for one, other in zip(model.parameters(), copied_model.parameters(), strict=True)
    )
    with torch.no_grad():
        expected = method(model, toy_images, toy_classes)
        found = copied_method(copied_model, toy_images, toy_classes)
    torch.testing.assert_close(found, expected, **exact)


class Own(CamMethod):
    """Returns what it is told to."""

    def __init__(self, result):
        self.result = result

    def maps(self, model, images, classes):
        return self.result


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (torch.zeros(3, 4), r"`Own\.maps` gives \[3, 4\]"),
        (torch.zeros(2, 1, 1, 4, 4), r"gives \[2, 1, 1, 4, 4\]"),
        (torch.zeros(2, 7, 4, 4), r"gives \[2, 7, 4, 4\]"),
        (np.zeros((2, 3, 4, 4)), r"gives a ndarray"),
        (None, r"gives a NoneType"),
    ],
)
def test_maps_of_another_shape_are_refused_with_the_class(toy, toy_images, result, said):
    classes = torch.zeros(len(toy_images), 2, dtype=torch.long, device=toy_images.device)
    with pytest.raises(WsssError, match=said + r".*\[B, n, h, w\], here \[\d, 2, h, w\]"):
        Own(result)(toy, toy_images, classes)


def test_what_is_no_method_is_refused_by_its_class():
    with pytest.raises(WsssError, match=r"method=dict: this is no CAM method.*CamMethod"):
        check_is_method({}, "method")
