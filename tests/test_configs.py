from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, get_method
from omegaconf import OmegaConf

from wsss.chain import CHAIN
from wsss.cli import config_dir
from wsss.errors import WsssError
from wsss.overrides import check_complete, check_overrides

OPTIONS = sorted(
    path.relative_to(config_dir()).with_suffix("")
    for path in config_dir().glob("*/*.yaml")
    if path.parent.name != "hydra"
)


def composed(*overrides):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("run", overrides=["data=synthetic", *overrides])


def targets(node):
    if isinstance(node, dict):
        yield from ([node["_target_"]] if "_target_" in node else [])
        for value in node.values():
            yield from targets(value)
    elif isinstance(node, list):
        for value in node:
            yield from targets(value)


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_every_option_composes_and_names_things_that_exist(option):
    group, name = option.parts
    cfg = composed(f"{group}={name}", "++data.root=here", "++logger.wandb.save_dir=here")
    plain = OmegaConf.to_container(cfg, resolve=False)
    plain.pop("logger", None)
    settings = {key: OmegaConf.to_container(cfg[key], resolve=True) for key in (*CHAIN, "data")}
    named = set(targets(settings)) | set(targets(plain))
    assert named
    for target in named:
        try:
            get_class(target)
        except ValueError:
            assert callable(get_method(target))


def test_every_stage_is_configured():
    cfg = composed()
    assert list(cfg.stages) == list(CHAIN)
    assert all(cfg[stage]._target_ == f"wsss.stages.{stage}.run" for stage in CHAIN)


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["segment.max_epoch=3"], "`segment.max_epochs`"),
        (["bilateral_sxy_px=3"], "`refine.method.engine.bilateral_sxy_px`"),
        (["refine=cfr"], "`crf`"),
        (["-m", "refine=crf,nome"], "`none`"),
    ],
)
def test_mistyped_settings_are_answered_with_the_nearest(words, near):
    with pytest.raises(WsssError, match=near):
        check_overrides(config_dir(), words)


@pytest.mark.parametrize(
    "words",
    [
        ["seed=1", "refine=none"],
        ["+new.key=1"],
        ["-m", "seed=1,2"],
        ["--cfg", "job"],
        ["~logger"],
        ["logger=[tensorboard,wandb]", "logger.wandb.offline=false"],
        ["-m", "experiment=glob(*)"],
        [
            "classify.lr=1",
            "workers=0",
            "refine.method.background_alpha=8",
            "work_dir=${oc.env:HOME}",
        ],
    ],
)
def test_right_settings_pass(words):
    check_overrides(config_dir(), words)


def test_a_setting_without_a_value_is_named():
    check_complete(composed())
    with pytest.raises(WsssError, match=r"data\.root"):
        check_complete(composed("data=folder"))


def test_configs_are_outside_of_the_package_in_a_checkout():
    assert config_dir() == Path(__file__).parents[1] / "configs"
