import copy

import pytest
import torch
from torch.nn import functional as F

from wsss.cams.ad_cam import ADCAM
from wsss.cams.ad_cam.coupling import Coupling, Diffusion, Product, TransCamSum
from wsss.cams.cam import CAM
from wsss.errors import WsssError
from wsss.models.whole_patches import whole_patches
from wsss.stage_tools.forward_passes import share_tensors


@pytest.fixture
def vit(toy_vit):
    """The transformer alone, as a second network."""
    return toy_vit.features


def cam_on_patches(model, images, classes, size=(7, 6)):
    maps = CAM()(model, images, classes).relu()
    maps = F.interpolate(maps, size, mode="bilinear")
    return maps / (maps.amax(dim=(2, 3), keepdim=True) + 1e-5)


@pytest.mark.parametrize("coupling", [Diffusion(steps=2, eta=0.5), Product(), TransCamSum()])
def test_maps_of_a_transformer_are_coupled_with_its_own_attention(
    toy_vit, toy_images, toy_classes, coupling
):
    maps = ADCAM(coupling=coupling)(toy_vit, toy_images, toy_classes)
    _, attention = toy_vit.features.forward_with_attention(toy_images)
    cam = cam_on_patches(toy_vit, toy_images, toy_classes)
    expected = coupling(cam.flatten(2), 3 * attention).view_as(maps)
    torch.testing.assert_close(maps, expected, rtol=1e-9, atol=1e-12)
    assert not torch.allclose(maps, cam, atol=1e-3)


def test_two_networks_are_paired(toy, vit, toy_images, toy_classes):
    maps = ADCAM(attention_network=vit, layers=[-1, 0])(toy, toy_images, toy_classes)
    layers = [vit.forward_with_attention(toy_images, [layer])[1] for layer in (0, 2)]
    cam = cam_on_patches(toy, toy_images, toy_classes)
    expected = Diffusion()(cam.flatten(2), layers[0] + layers[1]).view_as(maps)
    torch.testing.assert_close(maps, expected, rtol=1e-9, atol=1e-12)


def test_maps_are_resized_to_the_grid_of_patches(toy, vit, toy_classes, device):
    generator = torch.Generator().manual_seed(2)
    images = torch.rand(3, 3, 11, 16, dtype=torch.float64, generator=generator).to(device)
    maps = ADCAM(attention_network=vit, coupling=Diffusion(steps=0))(toy, images, toy_classes)
    assert CAM()(toy, images, toy_classes).shape[2:] == (5, 8)
    assert whole_patches(images, 2).shape[2:] == (12, 16)
    expected = cam_on_patches(toy, images, toy_classes, (6, 8))
    torch.testing.assert_close(maps, expected, rtol=1e-9, atol=1e-12)
    whole = images[:, :, :10]
    assert whole_patches(whole, 2) is whole


class OnlyItself(Coupling):
    """Diffusion along attention that every patch pays to itself alone."""

    provenance = Diffusion.provenance

    def __call__(self, maps, attention):
        return Diffusion(steps=2)(
            maps, torch.eye(attention.shape[1]).to(attention).expand_as(attention)
        )


@pytest.mark.parametrize("coupling", [OnlyItself(), Diffusion(steps=0), Diffusion(eta=0)])
def test_without_diffusion_the_map_is_the_cam(toy, vit, toy_images, toy_classes, coupling):
    method = ADCAM(attention_network=vit, coupling=coupling, normalise=False)
    maps = method(toy, toy_images, toy_classes)
    cam = CAM()(toy, toy_images, toy_classes).relu()
    torch.testing.assert_close(maps, cam, rtol=1e-12, atol=0)


def test_activation_is_moved_and_not_lost(toy, vit, toy_images, toy_classes):
    maps = ADCAM(attention_network=vit, normalise=False)(toy, toy_images, toy_classes)
    cam = CAM()(toy, toy_images, toy_classes).relu()
    torch.testing.assert_close(maps.sum(dim=(2, 3)), cam.sum(dim=(2, 3)), rtol=1e-9, atol=0)
    assert not torch.allclose(maps, cam, rtol=1e-2)


def test_normalising_first_changes_the_scale_only(toy_vit, toy_images, toy_classes):
    scaled, raw = (
        ADCAM(normalise=normalise)(toy_vit, toy_images, toy_classes) for normalise in (True, False)
    )
    peaks = [maps.amax(dim=(2, 3), keepdim=True) for maps in (scaled, raw)]
    torch.testing.assert_close(scaled / peaks[0], raw / peaks[1], rtol=1e-9, atol=1e-12)


def test_a_model_without_attention_needs_a_second_network(
    toy, toy_mlp, vit, toy_vit, toy_images, device
):
    with pytest.raises(WsssError, match=r"^ADCAM: .*a vision transformer"):
        ADCAM().check(toy)
    with pytest.raises(WsssError, match="a vision transformer"):
        ADCAM()(toy, toy_images, torch.zeros(3, 1, dtype=torch.int64, device=device))
    paired = ADCAM(attention_network=vit)
    paired.check(toy)
    paired.check(toy_vit)
    with pytest.raises(WsssError, match="linear layer"):
        paired.check(toy_mlp)


def test_the_second_network_is_not_trained_and_its_copy_shares_tensors(toy, vit):
    vit.train().requires_grad_(True)
    method = ADCAM(attention_network=vit)
    assert not any(module.training for module in vit.modules())
    assert not any(parameter.requires_grad for parameter in vit.parameters())
    copied, _ = share_tensors((method, toy))
    assert copied.attention_network is not vit
    pairs = zip(copied.attention_network.parameters(), vit.parameters(), strict=True)
    assert all(one is other for one, other in pairs)


def test_the_second_network_is_left_as_it_was(toy, vit, toy_images, toy_classes):
    method = ADCAM(attention_network=vit)
    before = copy.deepcopy(vit.state_dict())
    fused = [block.attn.fused_attn for block in vit.network.blocks]
    handle = vit.network.norm.register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        method(toy, toy_images, toy_classes)
    handle.remove()
    method(toy, toy_images, toy_classes)
    assert [block.attn.fused_attn for block in vit.network.blocks] == fused
    assert not any(len(module._forward_pre_hooks) for module in vit.modules())
    torch.testing.assert_close(vit.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize("layers", [[3], [0, -4], []])
def test_layers_that_the_attention_lacks_are_refused(toy, vit, toy_vit, layers):
    for method, model in (
        (ADCAM(layers=layers), toy_vit),
        (ADCAM(attention_network=vit, layers=layers), toy),
    ):
        with pytest.raises(WsssError, match="some of -3…2, layers of toy_vit"):
            method.check(model)


def test_a_layer_that_is_named_twice_counts_once(toy_vit, toy_images, toy_classes):
    once, twice = (
        ADCAM(layers=layers, coupling=Product())(toy_vit, toy_images, toy_classes)
        for layers in ([2], [2, -1])
    )
    torch.testing.assert_close(once, twice, rtol=0, atol=0)


def test_the_method_says_that_it_is_a_reconstruction():
    assert "Reconstruction from the published abstract" in ADCAM.__doc__
    assert ADCAM().provenance.reconstructed


@pytest.mark.parametrize("coupling", [Diffusion(), Product(), TransCamSum()])
def test_the_coupling_says_where_a_method_comes_from(coupling):
    assert ADCAM(coupling=coupling).provenance is coupling.provenance


def test_coupling_with_the_class_tokens_attention_wants_a_class_token(toy_vit, toy_tower, toy):
    method = ADCAM(coupling=Product())
    method.check(toy_vit)
    with pytest.raises(WsssError, match=r"Product.*toy_tower.*class token"):
        method.check(toy_tower)
    with pytest.raises(WsssError, match="class token"):
        ADCAM(coupling=Product(), attention_network=toy_tower.features).check(toy)
    ADCAM(coupling=TransCamSum()).check(toy_tower)
