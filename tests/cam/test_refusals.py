"""What methods refuse, and what they own to."""

import pytest

from wsss.cam import (
    ADCAM,
    CAM,
    FDCAM,
    FGCAM,
    VSCAM,
    ClusterCAM,
    ExtendedCAM,
    GradCAM,
    InferCAM,
    Meng,
    ReCAM,
    ReciproCAM,
    TokenReciproCAM,
)
from wsss.errors import WsssError

REFUSED = {
    "cam": (CAM, "toy_mlp", "one linear layer.*method gradcam"),
    "infer_cam": (InferCAM, "toy_mlp", "one linear layer.*method gradcam"),
    "recam": (ReCAM, "toy", "second one beside it.*cam=recam.*--checkpoint runs/reactivate/"),
    "vscam": (VSCAM, "toy", "a vision GNN.*backbone=vig_tiny"),
    "ad_cam": (ADCAM, "toy", "a vision transformer.*backbone=deit_small"),
    "token_recipro_cam": (TokenReciproCAM, "toy", "a vision transformer.*backbone=deit_small"),
    "meng": (Meng, "toy", "representative opponents.*cam=meng.*--checkpoint runs/oppose/"),
    "fg_cam": (FGCAM, "toy_vit", "inner feature maps.*backbone=efficientnet_lite0"),
    "gradcam of layers": (
        lambda: GradCAM(layers=["layer4"]),
        "toy",
        "layers layer4.*among 0, 1, 2",
    ),
}
"""What makes each method, a model it cannot explain, and what is said of those that would do."""


@pytest.mark.parametrize("use", ["check", "call"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_lacks_something_is_refused_at_once(
    request, name, use, toy_images, toy_classes, device
):
    make, fixture, said = REFUSED[name]
    model = request.getfixturevalue(fixture)
    model.features.register_forward_pre_hook(lambda *_: 1 / 0)  # Nothing is computed.
    with pytest.raises(WsssError, match=said) as refusal:
        make().check(model) if use == "check" else make()(model, toy_images, toy_classes)
    assert refusal.value.problems[0].where in ("cam", "cam.layers")  # Keys of the configuration.


RECONSTRUCTED = (ADCAM, ClusterCAM, ExtendedCAM, Meng, VSCAM)


@pytest.mark.parametrize("method", RECONSTRUCTED)
def test_a_reconstruction_says_so(method):
    assert "Reconstruction from the published abstract" in " ".join(method.__doc__.split())
    assert method.provenance.reconstructed


def test_extensions_of_a_published_method_say_so():
    assert "our extension" in FGCAM.__doc__
    assert "residual networks" in FGCAM.provenance.reconstructed
    for method in (CAM, FDCAM, GradCAM, InferCAM, ReCAM, ReciproCAM, TokenReciproCAM):
        assert not method.provenance.reconstructed
