"""Names of methods in `cam.methods=[…]` stand for their settings."""

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from wsss.cams.cam import CAM
from wsss.cams.fg_cam import FGCAM
from wsss.errors import WsssError
from wsss.settings.compose import compose


def methods_of(*words):
    return instantiate(compose("run", ["cam=fused", *words]).cam, _convert_="all").methods


def test_names_are_the_methods_with_their_default_settings():
    methods = methods_of("cam.methods=[cam,fg_cam]")
    assert [type(one) for one in methods] == [CAM, FGCAM]
    by_name = compose("run", ["cam=fg_cam"]).cam
    assert compose("run", ["cam=fused", "cam.methods=[fg_cam]"]).cam.methods[0] == by_name
    assert vars(methods[1]) == vars(instantiate(by_name))


def test_a_method_may_have_settings_of_its_own():
    methods = methods_of("cam.methods=[cam,{_target_:wsss.cams.fg_cam.FGCAM,target_layer:2}]")
    assert [type(one) for one in methods] == [CAM, FGCAM]
    assert methods[1].target_layer == 2


def test_the_default_is_what_its_names_say():
    spelled = OmegaConf.to_container(compose("run", ["cam=fused"]).cam)
    assert all("_target_" in one for one in spelled["methods"])
    assert [type(one).__name__ for one in methods_of()] == ["LayerCAM", "FGCAM"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("cam.methods=[cam,layrcam]", "`layercam`"),
        ("cam.methods=[cam,3]", "settings of its own"),
        ("cam.methods=cam", "a list"),
    ],
)
def test_what_is_no_method_is_told_with_the_nearest(word, expected):
    with pytest.raises(WsssError) as refusal:
        compose("run", ["cam=fused", word])
    (problem,) = refusal.value.problems
    assert problem.where.startswith("cam.methods")
    assert expected in problem.expected
