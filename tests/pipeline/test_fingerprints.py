"""What is in a fingerprint, and what is not."""

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from wsss.artifacts import write_json
from wsss.errors import WsssError
from wsss.pipeline.fingerprints import IGNORED, common_basis, make_plans
from wsss.pipeline.run import stage_configs
from wsss.report.audit_findings import VERSION
from wsss.report.bound import BOUNDS
from wsss.settings.build import build
from wsss.settings.config_dir import config_dir
from wsss.settings.content_digests import code_digests


@pytest.fixture
def folders(tmp_path, tiny_overrides):
    def plan(*overrides):
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            cfg = compose("run", overrides=[*tiny_overrides, *overrides])
        configs = stage_configs(cfg)
        shared = common_basis(cfg.seed, OmegaConf.to_container(cfg.trainer), ())
        plans = make_plans(configs, tuple(configs), tmp_path, shared, build(cfg.data))
        return {stage: one.folder.name for stage, one in plans.items()}

    return plan


@pytest.mark.parametrize(
    "setting",
    [
        "trainer.precision=bf16-mixed",
        "+trainer.limit_train_batches=0",
        "+trainer.gradient_clip_val=1.0",
        "+trainer.accumulate_grad_batches=2",
        "+trainer.fast_dev_run=true",
        "+trainer.unheard_of=1",
    ],
)
def test_a_setting_of_the_trainer_renews_all_that_may_depend_on_it(folders, setting):
    before, after = folders(), folders(setting)
    assert [stage for stage in before if before[stage] == after[stage]] == []


def test_what_is_left_out_renews_nothing_and_has_a_reason(folders):
    own = [key for key in IGNORED if key.startswith("trainer.")]
    assert folders(*(f"++{key}=3" for key in own)) == folders()
    assert folders("segment.checkpoint_every_n_epochs=3", "refine.max_batch_px=9") == folders()
    assert all(IGNORED.values())


def test_a_setting_of_a_stage_is_not_taken_for_one_of_the_trainer(folders):
    before, after = folders(), folders("++segment.strategy=3")
    assert {stage for stage in before if before[stage] != after[stage]} == {
        "segment",
        "evaluate",
        "report",
    }


def renewed(before, after):
    return {stage for stage in before if before[stage] != after[stage]}


def test_how_masks_are_made_anew_counts_where_there_are_rounds(folders):
    words = ("segment.settled=0.5", "segment.relabel.batch_size=3")
    assert folders(*words) == folders()
    rounds = folders("segment.rounds=2")
    assert renewed(rounds, folders("segment.rounds=2", *words)) == {
        "segment",
        "evaluate",
        "report",
    }


def test_the_bound_renews_the_report_alone_and_no_method_renews_the_bound(folders):
    without, bound = folders(), folders("bound=true")
    assert {*bound} - {*without} == {*BOUNDS}
    assert renewed(without, bound) == {"report"}
    methods = ("cam=recam", "refine/threshold=otsu", "localize.flip=false")
    after = folders("bound=true", *methods)
    assert not {*BOUNDS} & renewed(bound, after)
    assert {"localize", "refine", "segment"} <= renewed(bound, after)


@pytest.mark.parametrize(
    ("word", "bounds"),
    [
        ("segment.max_epochs=3", {"oracle_bound_same_schedule"}),
        ("segmenter.trains_from=null", {"oracle_bound_same_schedule"}),
        ("oracle_bound.lr=0.1", {"oracle_bound"}),
        ("segment.batch_size=2", {*BOUNDS}),
        ("evaluate.flip=false", {*BOUNDS}),
        ("seed=3", {*BOUNDS}),
        ("classify.max_epochs=3", {*BOUNDS}),
        ("segment.compiled=true", set()),
    ],
)
def test_what_a_bound_takes_renews_it(folders, word, bounds):
    assert {*BOUNDS} & renewed(folders("bound=true"), folders("bound=true", word)) == bounds


def test_a_module_of_ones_own_renews_what_it_makes(folders, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    module = tmp_path / "own_cam_of_this_test.py"
    code = "from wsss.cams.cam import CAM\n\n\nclass OwnCAM(CAM):\n    pass\n"
    module.write_text(code, encoding="utf-8")
    target = "cam._target_=own_cam_of_this_test.OwnCAM"
    before = folders(target)
    assert folders(target) == before
    module.write_text(code + "\n\nSIGMA = 3\n", encoding="utf-8")
    after = folders(target)
    assert before["classify"] == after["classify"]
    assert before["localize"] != after["localize"]


def test_code_of_a_script_is_refused_since_another_run_cannot_find_it():
    with pytest.raises(WsssError, match=r"_target_: __main__\.Mine: .*Move it into a file"):
        code_digests({"method": {"_target_": "__main__.Mine"}})


def test_an_audit_of_this_run_renews_the_report_alone(folders, tmp_path, tiny_overrides):
    before = folders()
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        source = build(compose("run", overrides=[*tiny_overrides]).data)
    data = {split: source.fingerprint(split) for split in ("train", "val")}
    for name, classify in (("of another run", "0123"), ("own", before["classify"])):
        stages = {"classify": f"../../classify/{classify}"}
        run = {"stages": stages, "data_fingerprints": data}
        content = {"audit": VERSION, "finished": True, "run": run}
        write_json(tmp_path / "audit" / name / "audit.json", content)
        assert renewed(before, folders()) == ({"report"} if name == "own" else set())
