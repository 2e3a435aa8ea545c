"""Fusions of several methods' maps, against maps put together by hand."""

import pytest
import torch
from torch.nn import functional as F

from wsss.cams.ad_cam import ADCAM
from wsss.cams.cam import CAM
from wsss.cams.core.multiscale import multiscale_maps
from wsss.cams.core.needs import Need
from wsss.cams.fg_cam import FGCAM
from wsss.cams.fused import FusedCAM
from wsss.cams.gradcam import LayerCAM
from wsss.cams.infer_cam import InferCAM
from wsss.errors import WsssError
from wsss.stage_tools.forward_passes import share_tensors

CLOSE = {"rtol": 1e-9, "atol": 1e-12}


def by_hand(methods, model, images, classes, mean):
    """Map by map: rectified, divided by its largest value, at the size of the finest, averaged."""
    raw = [method(model, images, classes) for method in methods]
    height, width = max((one.shape[2], one.shape[3]) for one in raw)
    result = torch.zeros(*classes.shape, height, width, dtype=torch.float64)
    for b in range(len(images)):
        for n in range(classes.shape[1]):
            parts = []
            for maps in raw:
                one = maps[b, n].clamp(min=0)
                one = one / one.max() if one.max() > 0 else one
                one = F.interpolate(one[None, None], (height, width), mode="bilinear")[0, 0]
                parts.append(one)
            if mean == "arithmetic":
                result[b, n] = sum(parts) / len(parts)
            else:
                logs = sum(part.log() for part in parts) / len(parts)
                result[b, n] = logs.exp()
    return result


@pytest.mark.parametrize("mean", ["arithmetic", "geometric"])
@pytest.mark.parametrize(
    "methods",
    [
        lambda: [CAM(), LayerCAM()],
        lambda: [LayerCAM(), FGCAM(target_layer="0")],
        lambda: [FGCAM(target_layer="0"), CAM(), LayerCAM(layers=["1"])],
    ],
)
def test_maps_are_the_mean_of_the_methods_maps(toy, toy_images, toy_classes, methods, mean):
    found = FusedCAM(methods(), mean=mean)(toy, toy_images, toy_classes)
    expected = by_hand(methods(), toy, toy_images, toy_classes, mean)
    torch.testing.assert_close(found.cpu(), expected, **CLOSE)
    assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize("mean", ["arithmetic", "geometric"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_method_fused_with_itself_is_that_method(toy, toy_images, toy_classes, mean, count):
    """Up to a factor: what is divided by its maximum in the end is the same."""
    maps = CAM()(toy, toy_images, toy_classes).relu()
    found = FusedCAM([CAM()] * count, mean=mean)(toy, toy_images, toy_classes)
    largest = maps.amax(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(found * largest, maps, **CLOSE)


@pytest.mark.parametrize("mean", ["arithmetic", "geometric"])
def test_the_order_of_the_methods_does_not_matter(toy, toy_images, toy_classes, mean):
    methods = [CAM(), LayerCAM(), FGCAM(target_layer="0")]
    one, other = (
        FusedCAM(some, mean=mean)(toy, toy_images, toy_classes) for some in (methods, methods[::-1])
    )
    torch.testing.assert_close(one, other, **CLOSE)


def test_how_large_a_methods_maps_are_does_not_matter(toy, toy_images, toy_classes):
    class Louder(LayerCAM):
        def maps(self, model, images, classes):
            return 1000 * super().maps(model, images, classes)

    one, other = (
        FusedCAM([CAM(), method])(toy, toy_images, toy_classes) for method in (LayerCAM(), Louder())
    )
    torch.testing.assert_close(one, other, **CLOSE)


def test_the_product_is_zero_wherever_one_of_the_maps_is(toy, toy_images, toy_classes):
    product = FusedCAM([CAM(), LayerCAM()])(toy, toy_images, toy_classes)
    silent = CAM()(toy, toy_images, toy_classes) <= 0
    assert silent.any()
    assert not product[silent].any()


def test_seeds_of_scales_and_mirror_images_are_summed_behind_the_fusion(toy, device):
    model = toy.float()
    model.head.weight.data.abs_()  # So that no map is zero.
    pyramid = [
        torch.randint(0, 256, (1, 3, *size), dtype=torch.uint8) for size in [(14, 12), (28, 24)]
    ]
    pyramid = [images.to(device) for images in pyramid]
    classes = torch.tensor([[0, 3]], device=device)
    methods = [CAM(), LayerCAM()]
    (found,) = multiscale_maps(
        model, FusedCAM(methods, mean="arithmetic"), pyramid, classes, [(14, 12)]
    )
    total = torch.zeros(2, 14, 12, device=device)
    for images in pyramid:
        for mirrored in (False, True):
            seen = images.float() / 255
            seen = seen.flip(-1) if mirrored else seen
            parts = [method(model, seen, classes).relu() for method in methods]
            one = sum(part / part.amax(dim=(2, 3), keepdim=True) for part in parts) / 2
            one = one.flip(-1) if mirrored else one
            total += F.interpolate(one, (14, 12), mode="bilinear")[0]
    torch.testing.assert_close(found, total / total.amax(dim=(1, 2), keepdim=True))


def test_it_needs_what_its_methods_need():
    method = FusedCAM([CAM(), FGCAM()])
    assert method.needs == {Need.LINEAR_HEAD, Need.INNER_LAYERS}
    assert method.needs_gradients
    assert not FusedCAM([CAM()]).needs_gradients
    assert FusedCAM([CAM(), InferCAM()]).sees_scales
    assert not method.sees_scales
    assert FusedCAM([CAM(), FGCAM()]).follows_operations
    assert not FusedCAM([CAM()]).follows_operations
    assert not method.shares_score


def test_a_layer_that_one_of_them_lacks_is_refused_before_anything_runs(toy):
    with pytest.raises(WsssError, match="'9'"):
        FusedCAM([CAM(), LayerCAM(layers=["9"])]).check(toy)


@pytest.mark.parametrize("methods", [[], "cam", ["cam"], [CAM(), None], CAM()])
def test_what_is_no_list_of_methods_is_refused(methods):
    with pytest.raises(ValueError, match="methods="):
        FusedCAM(methods)


def test_networks_of_its_methods_are_shared_between_threads_and_not_copied(toy, toy_vit):
    method = FusedCAM([CAM(), ADCAM(attention_network=toy_vit.features)])
    (network,) = method.networks()
    assert network is toy_vit.features
    copied, _ = share_tensors((method, toy))
    (other,) = copied.networks()
    assert other is not network
    assert all(
        one is two for one, two in zip(network.parameters(), other.parameters(), strict=True)
    )
