import inspect
import pickle
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, get_method, instantiate
from omegaconf import OmegaConf

from wsss.errors import WsssError
from wsss.pipeline.run import stage_configs
from wsss.pipeline.stage_order import select
from wsss.refine import (
    FixedExponent,
    FixedThreshold,
    LevelBackground,
    Otsu,
    OtsuMean,
    Pooled,
    PowerBackground,
)
from wsss.report.bound import BOUNDS
from wsss.settings.config_dir import config_dir
from wsss.stages import CHAIN

OPTIONS = sorted(
    path.relative_to(config_dir()).with_suffix("")
    for path in config_dir().glob("*/**/*.yaml")
    if "hydra" not in path.relative_to(config_dir()).parts
)


def composed(*overrides, data=("data=synthetic",)):
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("run", overrides=[*data, *overrides])


def calls(node):
    """What is called, with the names of its arguments."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield node["_target_"], frozenset(key for key in node if not key.startswith("_"))
        for value in node.values():
            yield from calls(value)
    elif isinstance(node, list):
        for value in node:
            yield from calls(value)


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_every_option_composes_and_names_things_and_arguments_that_exist(option):
    words = (f"{option.parent.as_posix()}={option.name}", "++logger.wandb.save_dir=here")
    cfg = composed(*words, data=())  # Recipes choose their own.
    if OmegaConf.is_missing(cfg.backbone, "name"):
        cfg.backbone.name = "resnet50"
    if "data.root" in OmegaConf.missing_keys(cfg):
        cfg.data.root = "here"
    plain = OmegaConf.to_container(cfg, resolve=False)
    plain.pop("logger", None)
    data = OmegaConf.to_container(cfg.data, resolve=True)
    settings = {"data": data, **stage_configs(cfg)}
    called = {*calls(settings)}
    # Some are looked up by others, such as `dense_crf`, and never called as they stand.
    shared = {(target, frozenset()) for target, _ in calls(plain) if not target.startswith("${")}
    assert called | shared
    for target, arguments in called | shared:
        try:
            found = get_class(target)
        except ValueError:
            found = get_method(target)
        inspect.signature(found).bind_partial(**dict.fromkeys(arguments))


METHODS = {
    "cam": {},
    "gradcam": {"layers": None},
    "vscam": {"probes.layers": 3, "probes.symmetrise": False, "probes.quantile": 0},
    "extended_cam": {"sigma": "erf", "align": "grid", "bias": "omit", "rescale": False},
    "meng": {
        "layers": None, "layer_weights": (0.2, 0.3, 0.5), "gate": True, "opponents": "mean",
    },
    "recipro_cam": {"mask": "delta", "score": "probability", "baseline": "zeros"},
    "token_recipro_cam": {"mask": "gaussian_neighbour", "score": "logit", "baseline": "zeros"},
    "cluster_cam": {
        "num_clusters": 10, "feature": "shape", "algorithm": "kmeans", "fill": "mean",
        "cic": False, "top": 1, "bottom": 1, "merge": "difference",
    },
    "fg_cam": {"base": "grad", "denoise": False, "kept_fraction": 0.1, "fold_bn": False},
    "infer_cam": {
        "scales": (1, 0.5, 1.5, 2), "max_rounds": 5, "erase_threshold": 0.7,
        "min_erased_fraction": 0.02, "buffers_px": (10, 20), "compat": None,
    },
    "fd_cam": {"quantile": 0.95},
    "recam": {},
    "ad_cam": {
        "layers": None, "normalise": True, "coupling.agreement": "overlap",
        "coupling.direction": "scatter", "coupling.steps": 1, "coupling.eta": 1,
    },
}  # fmt: skip
"""The twelve methods with their published options, or those of the reconstruction."""


def options(thing):
    return {
        f"{name}{inner}": value
        for name, part in vars(thing).items()
        if name != "provenance"  # It follows from the options.
        for inner, value in (
            {f".{key}": one for key, one in vars(part).items()}
            if type(part).__module__.startswith("wsss.cams")
            else {"": part}
        ).items()
    }


@pytest.mark.parametrize("method", METHODS)
def test_methods_have_the_published_options_with_or_without_a_configuration(method):
    config = composed(f"cam={method}").cam
    if "attention_network" in config:
        config.attention_network = None  # Its weights would be downloaded.
    configured = options(instantiate(config, _convert_="all"))
    assert configured == options(get_class(config._target_)())
    assert configured.items() >= METHODS[method].items()


def test_what_methods_learn_follows_the_published_schedule():
    recam = composed("cam=recam", "classify=finetune").reactivate
    assert recam.lr == 5e-5
    assert recam.lr * recam.second_lr_factor == pytest.approx(5e-4)
    assert (recam.max_epochs, recam.batch_size, recam.loss_weight) == (4, 16, 1)
    assert (recam.optimizer.weight_decay, recam.optimizer.momentum) == (1e-4, 1e-4)
    assert recam.augmentation.crop_px == 512
    meng = composed("cam=meng").oppose
    assert (meng.num_representatives, meng.min_single_label_images) == (None, 20)
    assert (meng.max_epochs, meng.optimizer.weight_decay, meng.replace_self) == (10, 1e-4, True)


def test_fine_tuned_pairs_are_those_of_heads_with_last_stages_that_learn():
    heads, tuned = (
        composed("cam=meng", *words).oppose for words in ((), ("oppose=meng_finetune",))
    )
    assert (heads.mode, tuned.mode) == ("heads", "finetune")
    assert tuned.lr * tuned.head_lr_factor == pytest.approx(heads.lr)
    ours = {"mode", "lr", "head_lr_factor", "augmentation"}
    assert {key: tuned[key] for key in tuned if key not in ours} == {
        key: heads[key] for key in heads if key not in ours
    }


OWN_STAGES = {
    "cam=recam": {"reactivate"},
    "cam=meng": {"oppose"},
    "refine=affinity": {"affinity", "propagate"},
    "refine=affinity_crf": {"affinity", "propagate"},
    "refine=feature_affinity": {"propagate"},
    "refine=feature_affinity_crf": {"propagate"},
    "refine=attention_affinity": {"propagate"},
    "refine=attention_affinity_crf": {"propagate"},
    "refine=probe_crf": {"probe"},
    "refine=sam_votes": {"propose"},
    "bound=true": {"oracle_bound", "oracle_bound_same_schedule"},
}


def test_every_stage_is_configured_unless_it_is_switched_on():
    cfg = composed()
    assert select(cfg.stages) == CHAIN
    own = set().union(*OWN_STAGES.values())
    common = [stage for stage in CHAIN if stage not in own]
    assert list(stage_configs(cfg)) == common
    assert all(cfg[stage]._target_ == f"wsss.stages.{stage}.run" for stage in common)


@pytest.mark.parametrize(("method", "stages"), OWN_STAGES.items())
def test_a_word_switches_its_stages_on(method, stages):
    configs = stage_configs(composed(method))
    assert all(configs[stage]["_target_"] == f"wsss.stages.{stage}.run" for stage in stages)
    assert set().union(*OWN_STAGES.values()) & {*configs} == stages
    assert select(list(CHAIN), configs) == tuple(configs)


@pytest.mark.parametrize(
    ("words", "stages"),
    [
        (("refine=given",), ("refine", "segment")),
        (("refine=given", "segment.classifier_weight=1"), ("classify", "refine", "segment")),
        (("refine=given", "cam=recam"), ("refine", "segment")),
        (
            ("refine=given", "bound=true", "oracle_bound.classifier_weight=1"),
            ("classify", "refine", "segment"),
        ),
        (("localize=given",), ("localize", "refine", "segment")),
        (("localize=given", "cam=recam"), ("localize", "refine", "segment")),
        (
            ("localize=given", "refine=affinity"),
            ("classify", "localize", "affinity", "propagate", "refine", "segment"),
        ),
        (
            ("classify=given", "cam=recam"),
            ("classify", "reactivate", "localize", "refine", "segment"),
        ),
    ],
)
def test_what_is_given_leaves_out_what_leads_to_it(words, stages):
    given = ("++refine.masks=x", "++localize.folder=x", "++classify.weights=x")
    configs = stage_configs(composed(*words, *given))
    assert tuple(one for one in configs if one not in BOUNDS) == (*stages, "evaluate", "report")


def test_reactivation_trains_what_the_classifier_trained():
    for classify, frozen in (("frozen", "backbone"), ("finetune", "stem")):
        assert composed("cam=recam", f"classify={classify}").reactivate.freeze == frozen
    chosen = composed("cam=recam", "reactivate=finetune", "experiment=voc_coseg", "++data.root=x")
    assert chosen.reactivate.freeze == "stem"


FOR_MASKS_WITH_ERRORS = {"loss", "rounds", "settled", "relabel"}
"""Settings of `segment` that have no place where masks are true."""
SCHEDULE = {"lr", "max_epochs", "copy_paste"}
"""Those that the bound has of its own."""


@pytest.mark.parametrize("words", [(), ("experiment=demo",), ("experiment=voc_coseg",)])
def test_the_bound_takes_the_network_and_images_of_the_run_and_a_schedule_of_its_own(words):
    changed = ("segment.batch_size=6", "segmenter.decoder_channels=32", "segmenter.trains_from=x")
    configs = stage_configs(composed(*words, *changed, "bound=true", "++data.root=x"))
    evaluate = configs["evaluate"]
    segment = {
        key: configs["segment"][key] for key in {*configs["segment"]} - FOR_MASKS_WITH_ERRORS
    }
    bounds = (configs["oracle_bound"], configs["oracle_bound_same_schedule"])
    predicting = {key: evaluate[key] for key in ("scales", "flip", "crf")}
    predicting["prediction_batch_size"] = evaluate["batch_size"]
    for own in bounds:
        assert {key: own[key] for key in predicting} == predicting
        assert {*own} == {*segment, *predicting, "trains_from"}
    free, same = ({key: own[key] for key in segment if key != "_target_"} for own in bounds)
    assert same == {key: one for key, one in segment.items() if key != "_target_"}
    assert {key for key in same if free[key] != same[key]} <= SCHEDULE
    assert [own["trains_from"] for own in bounds] == [None, "x"]


def test_one_bound_is_enough_where_both_have_the_same_schedule():
    words = ("experiment=voc_coseg", "++data.root=x", "segment.copy_paste=0", "bound=true")
    configs = stage_configs(composed(*words))
    assert {*BOUNDS} & {*configs} == {"oracle_bound"}


def test_one_of_the_bounds_can_be_left_out():
    configs = stage_configs(composed("bound=true", "~oracle_bound_same_schedule"))
    assert "oracle_bound" in configs
    assert "oracle_bound_same_schedule" not in configs


def test_affinities_are_learned_as_published_where_that_is_asked_for():
    irn = composed("refine=affinity", "affinity=irn")
    learned = irn.affinity
    assert (learned.max_epochs, learned.batch_size, learned.radius) == (3, 32, 10)
    assert (learned.lr, learned.displacement_lr_factor, learned.displacement_channels) == (
        0.1,
        10,
        256,
    )
    assert (learned.optimizer.weight_decay, learned.optimizer.momentum) == (1e-4, 1e-4)
    augmentation = learned.augmentation
    assert (augmentation.crop_px, augmentation.scale_min, augmentation.scale_max) == (512, 0.5, 1.5)
    labels = learned.labels
    assert (labels.fg_threshold, labels.bg_threshold, labels.gt_prob) == (0.3, 0.05, 0.7)
    where = ("_target_", "device")
    engine = {key: value for key, value in labels.engine.items() if key not in where}
    assert engine == {
        "gaussian_sxy_px": 3,
        "gaussian_compat": 3,
        "bilateral_sxy_px": 50,
        "bilateral_srgb": 5,
        "bilateral_compat": 10,
        "num_iterations": 10,
    }
    walk = irn.propagate
    assert (walk.method.radius, walk.exponent, walk.num_steps) == (5, 10, 2**8)
    assert irn.refine.method.bg_threshold == 0.25


def test_settings_of_a_stage_that_is_off_leave_it_off():
    # So can a sweep over methods say how one of them is to learn.
    assert "reactivate" not in stage_configs(composed("++reactivate.max_epochs=2"))


def test_a_stage_that_is_off_cannot_be_chosen_alone():
    configs = stage_configs(composed())
    with pytest.raises(WsssError, match="`cam=recam` switches `reactivate` on"):
        select(["reactivate"], configs)
    assert select(["reactivate", "localize"], configs) == ("localize",)
    assert select([], configs) == ()


def test_configs_are_outside_of_the_package_in_a_checkout():
    assert config_dir() == Path(__file__).parents[1] / "configs"


@pytest.mark.parametrize("name", ["numba", "pydensecrf", "torch"])
def test_one_word_chooses_the_engine_of_every_dense_crf(name):
    cfg = composed(f"refine/engine={name}")
    engine = cfg.dense_crf._target_
    assert name in engine.lower()
    assert cfg.refine.method.engine._target_ == cfg.evaluate.crf._target_ == engine


@pytest.mark.parametrize("experiment", ["demo", "voc_coseg"])
@pytest.mark.parametrize(
    "refine",
    sorted(path.stem for path in (config_dir() / "refine").glob("*.yaml") if path.stem != "given"),
)
def test_every_refinement_goes_with_every_experiment(refine, experiment):
    cfg = composed(f"experiment={experiment}", f"refine={refine}")
    pickle.dumps(instantiate(cfg.refine.method))  # It is sent to other processes.


def test_one_setting_chooses_the_device_of_every_dense_crf():
    cfg = composed("refine/engine=torch", "refine=affinity_crf", "dense_crf.device=cuda:1")
    for part in (cfg.refine.method.engine, cfg.affinity.labels.engine, cfg.evaluate.crf):
        assert instantiate(part, _convert_="all").device == "cuda:1"


@pytest.mark.parametrize(
    ("words", "rule", "background"),
    [
        ((), OtsuMean, LevelBackground),
        (("refine/threshold=otsu", "refine/background=power"), Otsu, PowerBackground),
        (("refine/threshold=pooled",), Pooled, LevelBackground),
        (("refine/threshold=fixed",), FixedThreshold, LevelBackground),
        (("refine/threshold=exponent",), FixedExponent, LevelBackground),
    ],
)
def test_where_background_ends_is_chosen_by_a_word(words, rule, background):
    method = instantiate(composed(*words).refine, _convert_="all").keywords["method"]
    assert type(method.rule) is rule
    assert type(method.background) is background


def test_thresholded_seeds_take_the_same_rules():
    refine = composed("refine=none", "refine.method.bg_threshold=${background_threshold}").refine
    assert type(instantiate(refine, _convert_="all").keywords["method"].rule) is OtsuMean
