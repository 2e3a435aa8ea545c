import pytest
from omegaconf import OmegaConf

from wsss.errors import WsssError
from wsss.explain.method_catalogue import method_names
from wsss.explain.options import configure_methods
from wsss.settings.config_dir import config_dir


def problem_of(methods, *words):
    with pytest.raises(WsssError) as refusal:
        configure_methods(methods, words)
    (problem,) = refusal.value.problems
    return problem


@pytest.mark.parametrize("asked", [["cam", "all"], ["all"]])
def test_all_is_all(asked):
    assert tuple(configure_methods(asked, [])) == method_names(config_dir())
    assert "`cam`" in problem_of(["all", "camm"]).expected


def test_names_of_methods_are_known_in_any_spelling():
    assert list(configure_methods(["CAM", "Recipro-CAM", "grad_cam"], [])) == [
        "cam", "recipro_cam", "gradcam",
    ]  # fmt: skip


def test_options_reach_the_methods_that_have_them():
    words = ["cam.score=logit", "recipro_cam.mask=gaussian", "cam.quantile=0.5"]
    configs = configure_methods(["recipro_cam", "fd_cam", "token_recipro_cam", "fd_cam"], words)
    assert list(configs) == ["recipro_cam", "fd_cam", "token_recipro_cam"]
    assert configs["recipro_cam"].mask == "gaussian"
    assert configs["token_recipro_cam"].mask == "gaussian_neighbour"
    assert configs["recipro_cam"].score == configs["token_recipro_cam"].score == "logit"
    assert configs["fd_cam"].quantile == 0.5


def test_an_option_of_an_option_and_a_list():
    words = ["cam.coupling.steps=2", "cam.layers=[8,9]", "cam.attention_network=null"]
    config = configure_methods(["ad_cam"], words)["ad_cam"]
    assert OmegaConf.select(config, "coupling.steps") == 2
    assert config.layers == [8, 9]
    assert config.attention_network is None


def test_a_wrong_option_is_told_as_it_was_written():
    assert problem_of(["fd_cam"], "fd_cam.quantile=x").where == "fd_cam.quantile=x"
    assert "`quantile`" in problem_of(["fd_cam", "cam"], "cam.quantil=1").expected
    assert "`gradcam`" in problem_of(["fd_cam"], "gradcam.layers=null").came


@pytest.mark.parametrize("method", ["cam", "gradcam"])
def test_a_method_of_ones_own_is_called_after_its_class(tmp_path, monkeypatch, method):
    (tmp_path / "my_own.py").write_text("class MyCAM:\n    def __init__(self, sigma: int): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    words = [f"{method}._target_=my_own.MyCAM", f"+{method}.sigma=3"]
    configs = configure_methods([method], words)
    assert list(configs) == ["MyCAM"]
    assert configs["MyCAM"].sigma == 3
    assert "a class for 2 methods" in problem_of([method, "vscam"], *words).came


@pytest.mark.parametrize("method", ["cam", "gradcam"])
def test_an_argument_of_ones_own_class_takes_a_plus(method):
    words = (f"{method}._target_=my_own.MyCAM", f"{method}.sigma=3")
    assert problem_of([method], *words).remedy == f"Write `+{method}.sigma=3`."
