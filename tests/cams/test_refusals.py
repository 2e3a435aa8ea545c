"""What methods refuse, and what they own to."""

from math import inf as INFINITY
from math import nan as NAN

import pytest
from torch import nn

from wsss.cams.ad_cam import ADCAM
from wsss.cams.ad_cam.coupling import Diffusion
from wsss.cams.cam import CAM
from wsss.cams.cluster_cam import ClusterCAM
from wsss.cams.core.needs import Need, offers
from wsss.cams.extended_cam import ExtendedCAM
from wsss.cams.fd_cam import FDCAM
from wsss.cams.fg_cam import FGCAM
from wsss.cams.gradcam import GradCAM, LayerCAM
from wsss.cams.infer_cam import InferCAM
from wsss.cams.meng import Meng
from wsss.cams.recam import ReCAM
from wsss.cams.recipro_cam import ReciproCAM
from wsss.cams.token_recipro_cam import TokenReciproCAM
from wsss.cams.vscam import VSCAM, VertexProbes
from wsss.errors import InvalidOptionError, UnsupportedError
from wsss.refine.affinity import AttentionAffinity

REFUSED = {
    "cam": (CAM, "toy_mlp", "one linear layer"),
    "infer_cam": (InferCAM, "toy_mlp", "one linear layer"),
    "recam": (ReCAM, "toy", "second one beside it"),
    "vscam": (VSCAM, "toy", "a vision GNN"),
    "ad_cam": (ADCAM, "toy", "a vision transformer"),
    "token_recipro_cam": (TokenReciproCAM, "toy", "a vision transformer"),
    "meng": (Meng, "toy", "representative opponents"),
    "fg_cam": (FGCAM, "toy_vit", "inner feature maps"),
}
"""What makes each method, a model it cannot explain, and what is said to be missing."""


@pytest.mark.parametrize("use", ["check", "call"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_lacks_something_is_refused_at_once(
    request, name, use, toy_images, toy_classes, device
):
    make, fixture, said = REFUSED[name]
    model = request.getfixturevalue(fixture)
    model.features.register_forward_pre_hook(lambda *_: 1 / 0)  # Nothing is computed.
    owner, kind = make.__name__, type(model.features).__name__
    came = f"^{owner}: this method cannot explain a model of {kind} and .*{said}"
    with pytest.raises(UnsupportedError, match=came) as refusal:
        make().check(model) if use == "check" else make()(model, toy_images, toy_classes)
    assert refusal.value.needs == make().needs - offers(model)


def test_layers_that_the_model_lacks_are_refused(toy, device):
    with pytest.raises(InvalidOptionError, match=r"^layers=.*'layer4'.*some of 0, 1, 2"):
        GradCAM(layers=["0", "layer4"]).check(toy)


WRONG = [
    (ADCAM, "attention_network", "resnet50"),
    (ADCAM, "layers", 8),
    (ADCAM, "layers", [2.0]),
    (ADCAM, "layers", ["last"]),
    (AttentionAffinity, "attention_network", nn.Identity()),
    (AttentionAffinity, "layers", 8),
    (AttentionAffinity, "layers", [2.0]),
    (ClusterCAM, "num_clusters", 2.5),
    (ClusterCAM, "top", 1.5),
    (ClusterCAM, "bottom", -1),
    (ClusterCAM, "bottom", NAN),
    (ClusterCAM, "seed", -1),
    (ClusterCAM, "seed", 2**32),
    (ClusterCAM, "seed", 0.5),
    (Diffusion, "steps", 1.5),
    (Diffusion, "steps", True),
    (Diffusion, "eta", NAN),
    (ExtendedCAM, "sigma", NAN),
    (ExtendedCAM, "sigma", INFINITY),
    (ExtendedCAM, "sigma", -2.0),
    (FDCAM, "quantile", NAN),
    (FDCAM, "chunk_rows", 2.5),
    (FGCAM, "kept_fraction", NAN),
    (FGCAM, "kept_fraction", "half"),
    (GradCAM, "layers", [3]),
    (GradCAM, "layers", 3),
    (GradCAM, "layers", ["layer3", "layer3"]),
    (LayerCAM, "layers", ["layer4", "layer4"]),
    (InferCAM, "scales", (1.0, NAN)),
    (InferCAM, "scales", (INFINITY,)),
    (InferCAM, "scales", ("large",)),
    (InferCAM, "max_rounds", 1.5),
    (InferCAM, "erase_threshold", NAN),
    (InferCAM, "erase_threshold", 0.0),
    (InferCAM, "erase_threshold", "x"),
    (InferCAM, "min_erased_fraction", NAN),
    (InferCAM, "min_erased_fraction", -0.1),
    (InferCAM, "buffers_px", (10.5, 20)),
    (Meng, "layers", [3]),
    (Meng, "layers", ["1", "1"]),
    (Meng, "layer_weights", (0.2, NAN, 0.5)),
    (Meng, "layer_weights", (0.2, -0.3, 0.5)),
    (Meng, "layer_weights", (0, 0, 0)),
    (ReciproCAM, "chunk_rows", 2.5),
    (TokenReciproCAM, "chunk_rows", NAN),
    (VertexProbes, "layers", 1.5),
    (VertexProbes, "quantile", NAN),
]
"""Options with values that would fail, or make maps of nothing, only when an image is seen."""


@pytest.mark.parametrize(("make", "option", "value"), WRONG)
def test_a_value_that_an_option_cannot_have_is_refused_at_once(make, option, value):
    with pytest.raises(InvalidOptionError, match=f"^{option}=.*: expected "):
        make(**{option: value})


def test_all_that_is_missing_is_one_refusal(toy_mlp):
    with pytest.raises(UnsupportedError) as refusal:
        ReCAM().check(toy_mlp)
    (problem,) = refusal.value.problems
    assert "one linear layer" in problem.expected
    assert "a second one beside it" in problem.expected
    assert refusal.value.needs == {Need.LINEAR_HEAD, Need.SECOND_CLASSIFIER}


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
