import sys

import pytest
from omegaconf import OmegaConf

from wsss.errors import WsssError
from wsss.settings.compose import compose, compose_sweep
from wsss.settings.config_dir import config_dir

EXPERIMENTS = len([*(config_dir() / "experiment").glob("*.yaml")])


def problems(words, check=compose):
    with pytest.raises(WsssError) as refusal:
        check("run", words.split())
    return refusal.value.problems


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("segment.max_epoch=3", "`segment.max_epochs`"),
        ("bilateral_sxy_px=3", "`refine.method.engine.bilateral_sxy_px`"),
        ("refine/treshold=otsu", "`refine/threshold`"),
        ("refine=cfr", "`crf`"),
        ("cam=3", "one of ad_cam"),
        ("refine.engine=nunba", "`numba`"),
        ("logger=[csv,wand]", "`wandb`"),
        ("+segment.learning_rate=1", "lr, "),
        ("+trainer.limit_train_batchs=0", "`limit_train_batches`"),
    ],
)
def test_mistyped_settings_are_answered_with_the_nearest(word, near):
    (problem,) = problems(word)
    assert near in problem.expected


def test_all_mistakes_of_a_kind_are_told_at_once():
    assert [one.where for one in problems("seeed=1 refine.metod=2")] == ["seeed", "refine.metod"]
    assert [one.where for one in problems("seed=x workers=-1 data.seed=null")] == [
        "seed=x",
        "workers=-1",
        "data.seed=null",
    ]
    assert [one.where for one in problems("stages=[a, x/y")] == ["stages=[a,", "x/y"]


REQUIRED = (
    "data", "backbone", "cam", "segmenter", "trainer", "logger", "classify", "localize", "refine",
    "segment", "evaluate", "report",
)  # fmt: skip


@pytest.mark.parametrize("group", REQUIRED)
def test_what_a_run_cannot_do_without_is_named_with_its_options(group):
    for word in (f"{group}=null", f"~{group}"):
        (problem,) = problems(word)
        assert (problem.where, problem.came) == (f"{group}=null", "nothing is chosen")
        assert problem.expected.startswith("one of ")


@pytest.mark.parametrize(
    ("group", "default"), [("cam", "cam"), ("refine", "crf"), ("backbone", "efficientnet_lite0")]
)
def test_the_remedy_for_a_group_without_a_choice_is_its_default(group, default):
    (problem,) = problems(f"{group}=null")
    assert problem.remedy == f"Choose one: `{group}={default}`."


@pytest.mark.parametrize(
    "word", ["experiment=null", "reactivate=null", "~propagate", "affinity=null"]
)
def test_what_a_run_can_do_without_may_be_null(word):
    compose("run", [word])


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("stages=localize", "a list, such as [localize]"),
        ("stages=[1]", "a word in the list"),
        ("work_dir=null", "a folder, such as `runs`"),
        ("seed=null", "a whole number"),
        ("seed=foo", "a whole number"),
        ("seed=1.5", "a whole number"),
        ("seed=true", "a whole number"),
        ("seed=-1", "a number greater than or equal to 0"),
        ("workers=abc", "a whole number"),
        ("workers=-1", "a number greater than or equal to 0"),
        ("max_failed_fraction=null", "a number"),
        ("max_failed_fraction=2", "a number less than or equal to 1"),
        ("dense_crf=null", "settings of its own"),
        ("dense_crf.seeds_sxy_px=null", "a number"),
        ("dense_crf.seeds_sxy_px=x", "a number"),
        ("dense_crf.device=3", "a word"),
        ("background_score=null", "settings"),
        ("trainer.precision=foo", "'32-true'"),
        ("trainer.precision=[32]", "'32-true'"),
        ("trainer.devices=null", "a list or a word or a whole number"),
        ("trainer.devices=1.5", "a list or a word or a whole number"),
        ("trainer.num_nodes=null", "a whole number"),
        ("trainer.deterministic=foo", "true or false or 'warn'"),
        ("trainer.accelerator=null", "a word"),
        ("trainer.strategy=null", "a word"),
        ("+trainer.fast_dev_run=yes", "a whole number or true or false"),
        ("classify.max_epochs=null", "a whole number"),
        ("classify.max_epochs=2.5", "a whole number"),
        ("segment.augmentation.crop_px=null", "a whole number"),
        ("segment.optimizer.weight_decay=null", "a number"),
        ("segment.optimizer=null", "settings of its own"),
        ("localize.scales=null", "settings of its own"),
        ("localize.scales.factors=[a]", "a number in the list"),
        ("refine.method=null", "settings of its own"),
        ("evaluate.crf=3", "settings of its own, such as `evaluate.crf.gaussian_sxy_px=1.0`"),
        ("evaluate.scales=1", "such as `evaluate.scales.factors=[1.0,0.75,1.25,1.5]`"),
        ("data.seed=null", "a whole number"),
        ("work_dir=${oc.env:NO_SUCH_VARIABLE}", "a value that can be resolved"),
        ("refine/engine=null", "a value that can be resolved"),
    ],
)
def test_a_value_of_another_kind_is_refused(word, expected):
    (problem,) = problems(word)
    assert expected in problem.expected


@pytest.mark.parametrize(
    "words",
    [
        "cam=cluster_cam cam.num_clusters=knee",
        "cam=cluster_cam cam.num_clusters=2.5",
        "cam=cluster_cam cam.feature=[raw]",
        "cam=cluster_cam cam.top=1.5",
        "cam=fg_cam cam.denoise=no",  # YAML's `no` is a word to Hydra.
        "cam=fd_cam cam.chunk_rows=2.5",
        "cam=fd_cam cam.quantile=true",
        "cam=infer_cam cam.scales=1",
        "cam=ad_cam cam.attention_network.name=[a]",
        "cam=ad_cam cam.attention_network=resnet50",
        "refine=affinity affinity.labels=null",
        "logger=wandb logger.wandb.offline=x",
    ],
)
def test_a_value_that_a_signature_does_not_know_is_refused(words):
    (problem,) = problems(words)
    assert problem.where == words.split()[1]


@pytest.mark.parametrize(
    "words",
    [
        "seed=1 refine=none",
        "+new.key=1",
        "++seed=1",
        "workers=0",
        "workers=null",
        "trainer.devices=auto",
        "trainer.devices=[0,1]",
        "trainer.devices=-1",
        "trainer.precision=16-mixed",
        "trainer.precision=32",
        "+trainer.limit_train_batches=0.5",
        "logger=[tensorboard,wandb] logger.wandb.offline=false",
        "refine=affinity affinity.labels.engine.bilateral_compat=3.5",
        "classify.lr=1 refine.method.void_factor=1.25 work_dir=${oc.env:HOME}",
        "refine.engine=torch dense_crf.device=cpu refine.method.engine.num_iterations=5",
        "cam=cluster_cam cam.num_clusters=elbow",
        "cam=fg_cam cam.target_layer=input",
        "cam=fg_cam cam.target_layer=null",
        "cam=extended_cam cam.sigma=1.5",
        "cam=fd_cam cam.quantile=0",
        "cam=gradcam cam.layers=[layer3]",
        "cam=ad_cam cam.attention_network=null",
        "evaluate.crf=null",
        "backbone.weights=null",
        "localize.scales.factors=[1,0.5]",
    ],
)
def test_right_settings_pass(words):
    compose("run", words.split())


def test_a_number_that_should_be_a_word_says_how_to_quote_it():
    (problem,) = problems("work_dir=2024")
    assert "work_dir='2024'" in problem.remedy
    assert compose("run", ["work_dir='2024'"]).work_dir == "2024"


def test_a_setting_without_a_value_is_named():
    (problem,) = problems("data=folder")
    assert problem.where == "data.root"
    assert OmegaConf.is_missing(compose("run", ["data=folder"], complete=False).data, "root")


def test_a_nested_group_may_be_written_with_a_dot():
    words = ["refine.engine=pydensecrf", "refine.method.engine.num_iterations=5"]
    cfg = compose("run", words)
    assert cfg.dense_crf._target_.endswith("PydensecrfEngine")
    assert cfg.refine.method.engine.num_iterations == 5


def test_several_values_are_for_a_sweep():
    (problem,) = problems("seed=1,2")
    assert "`[1,2]`" in problem.expected
    assert "-m" in problem.remedy


@pytest.mark.parametrize(
    "words",
    ["cam=cam,recipro_cam cam.mask=gaussian", "cam.mask=gaussian cam=cam,recipro_cam"],
)
def test_a_sweep_is_checked_run_by_run(words):
    (problem,) = problems(words, compose_sweep)
    assert problem.where == "cam.mask"
    assert "(in 1 of 2 runs, such as `cam=cam`)" in problem.came
    both = words.replace("cam,recipro", "recipro_cam,token_recipro").replace("mask", "chunk_rows")
    compose_sweep("run", both.replace("gaussian", "8").split())


@pytest.mark.parametrize(
    ("words", "where"),
    [
        ("seed=1,x data.size_px=32,64", "(in 2 of 4 runs, such as `seed=x data.size_px=32`)"),
        ("cam=fg_cam cam.fold_bn=true,no", "(in 1 of 2 runs, such as `cam.fold_bn=no`)"),
        ("data.num_train=range(1,3) experiment=demo,dmeo", "(in 2 of 4 runs, such as "),
        ("experiment=glob(*)", f"(in 1 of {EXPERIMENTS} runs, such as `experiment=voc_coseg`)"),
    ],
)
def test_a_problem_of_some_runs_is_told_once(words, where):
    (problem,) = problems(words, compose_sweep)
    assert where in problem.came


def test_a_problem_of_all_runs_is_that_of_one():
    (problem,) = problems("seeed=1,2", compose_sweep)
    assert problem.came == "there is no setting `seeed`"


@pytest.mark.parametrize(
    "words",
    ["seed=1,2", "cam=fg_cam cam.target_layer=1,input,null", "experiment=glob(dem*)", "seed=1"],
)
def test_right_sweeps_pass(words):
    compose_sweep("run", words.split())


@pytest.fixture
def own_method(tmp_path, monkeypatch):
    """A method of the user's own, in a module that can be imported."""
    (tmp_path / "my_module.py").write_text(
        "class MyCAM:\n    def __init__(self, sigma: float = 1.0): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_module", raising=False)


@pytest.mark.usefixtures("own_method")
def test_a_target_of_ones_own_is_held_to_its_own_signature():
    own = "cam._target_=my_module.MyCAM"
    assert compose("run", [own, "+cam.sigma=3"]).cam == {"_target_": "my_module.MyCAM", "sigma": 3}
    (problem,) = problems(f"{own} +cam.sigma=x")
    assert problem.expected == "a number"
    (problem,) = problems(f"{own} +cam.sigmo=3")
    assert problem.expected == "`sigma`"


@pytest.mark.parametrize("target", ["my_modul.MyCAM", "my_module.MyCM", "wsss.cams.cam.CAMM"])
@pytest.mark.usefixtures("own_method")
def test_a_target_that_is_not_there_is_named(target):
    (problem,) = problems(f"cam._target_={target}")
    assert problem.where == f"cam._target_={target}"
    assert target in problem.came


def test_a_folder_of_ones_own_has_options_too(tmp_path):
    (tmp_path / "cam").mkdir()
    (tmp_path / "cam" / "mine.yaml").write_text(
        "_target_: wsss.cams.gradcam.GradCAM\nlayers: null\n"
    )
    words = [f"hydra.searchpath=['{tmp_path}']", "cam=mine"]
    assert compose("run", words).cam._target_.endswith("GradCAM")


def test_only_what_is_wrong_is_told():
    assert [one.where for one in problems("cam=nosuch seed=1")] == ["cam=nosuch"]


def test_a_group_that_no_run_has_is_a_message(tmp_path):
    (tmp_path / "polish").mkdir()
    (tmp_path / "polish" / "default.yaml").write_text("strength: 1\n", encoding="utf-8")
    (one,) = problems(f"hydra.searchpath=['{tmp_path}'] polish=default")
    assert "polish" in f"{one.where} {one.came}"


def test_an_argument_of_ones_own_class_takes_a_plus():
    with pytest.raises(WsssError, match=r"no setting `cam\.power`.*Write `\+cam\.power=2\.0`"):
        compose("run", ["cam._target_=my_module.MyCAM", "cam.power=2.0"])
