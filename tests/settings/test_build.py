"""What a library refuses, told by the setting that the user knows it by."""

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from wsss.cams.core.needs import Need, lacking
from wsss.errors import InvalidOptionError, UnsupportedError, WsssError, inside
from wsss.settings.build import build, key_of, told_by_setting
from wsss.settings.config_dir import config_dir
from wsss.settings.remedies import FOR_EXPLAIN, FOR_RUN, told


@pytest.fixture(scope="module")
def config():
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("run", ["cam=ad_cam", "refine.method.engine.bilateral_sxy_px=5"])


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("localize.method", "cam"),
        ("localize.method.attention_network.weights", "cam.attention_network.weights"),
        ("segment.segmenter.weights", "backbone.weights"),
        ("segment.segmenter.encoder", "backbone.name"),
        ("segment.segmenter.decoder_channels", "segmenter.decoder_channels"),
        ("classify.backbone.freeze", "backbone.freeze"),  # left to a default
        ("refine.method.engine.device", "dense_crf.device"),
        ("refine.method.engine.bilateral_sxy_px", "refine.method.engine.bilateral_sxy_px"),
        ("refine.method.threshold.alpha.beta", "background_threshold.alpha.beta"),
    ],
)
def test_a_setting_is_found_where_it_is_set(config, path, key):
    assert key_of(config, path) == key


@pytest.mark.parametrize(
    ("owner", "option", "where"),
    [
        ("segment", "segmenter.weights", "backbone.weights"),
        ("localize", "method.layers", "cam.layers"),
        ("localize", "classify.backbone.name", "backbone.name"),
        ("propagate", "exponent", "propagate.exponent"),
        ("", "refine.batch_size", "refine.batch_size"),
    ],
)
def test_an_option_is_looked_for_in_its_owner_first(config, owner, option, where):
    with pytest.raises(WsssError) as refusal, told_by_setting(config, owner):
        raise InvalidOptionError(option, 3, "4")
    assert [(p.where, p.came) for p in refusal.value.problems] == [(where, "3")]


def test_what_is_missing_is_told_by_the_owner_and_has_the_commands_remedy(config):
    with pytest.raises(WsssError) as refusal, told_by_setting(config, "localize"), inside("method"):
        raise lacking("VSCAM", "a model", {Need.GRAPH})
    (problem,) = refusal.value.problems
    assert (problem.where, problem.remedy) == ("cam", FOR_RUN[Need.GRAPH])


def test_where_several_are_missing_the_rarest_names_the_remedy():
    error = lacking("ReCAM", "a model", {Need.SECOND_CLASSIFIER, Need.LINEAR_HEAD})
    assert told(error, "cam", FOR_EXPLAIN).remedy == FOR_EXPLAIN[Need.SECOND_CLASSIFIER]
    assert told(error, "cam", {}).remedy == error.problems[0].remedy


def test_every_need_of_a_model_has_a_remedy_in_order():
    for remedies in (FOR_RUN, FOR_EXPLAIN):
        assert [need for need in remedies if need in list(Need)] == list(Need)


def test_other_errors_pass(config):
    with pytest.raises(ZeroDivisionError), told_by_setting(config):
        raise ZeroDivisionError


def test_a_value_that_a_foreign_class_refuses_is_told_by_its_node():
    config = OmegaConf.create({"a": {"b": {"_target_": "builtins.int", "_args_": ["x"]}}})
    with pytest.raises(WsssError, match=r"^a\.b: invalid literal for int.*Correct") as refusal:
        build(config.a)
    assert not isinstance(refusal.value, UnsupportedError)
