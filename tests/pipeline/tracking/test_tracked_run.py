import threading
from types import SimpleNamespace

import pytest
from hydra.errors import InstantiationException
from omegaconf import OmegaConf

from wsss.errors import WsssError
from wsss.pipeline.tracking.ledger import Ledger, alone, ledger_path
from wsss.pipeline.tracking.mlflow_tracker import metric_name
from wsss.pipeline.tracking.opening import open_trackers
from wsss.pipeline.tracking.tracked_run import goal_of, run_name, tracked


def test_a_ledger_keeps_what_each_tracker_was_told_across_runs(tmp_path):
    path = ledger_path(tmp_path, tmp_path / "evaluate" / "0123")
    one, other = Ledger(path, "wandb here"), Ledger(path, "mlflow there")
    assert (one.run_id, one.told) == (None, frozenset())
    one.begin("a1")
    one.add("config")
    one.add("classify")
    other.begin("b2")
    again = Ledger(path, "wandb here")
    assert (again.run_id, again.told) == ("a1", {"config", "classify"})
    again.begin("a1")
    assert again.told == {"config", "classify"}
    again.begin("a2")
    assert (one.run_id, one.told) == ("a2", frozenset())
    assert other.run_id == "b2"


def test_ranks_but_the_first_have_no_tracker(tmp_path):
    cfg = OmegaConf.create({"logger": {"any": {"_target_": "no.such.Logger"}}})
    context = SimpleNamespace(is_main=False)
    with tracked(cfg, {}, {}, ["classify"], context) as run:
        assert run.curves(tmp_path / "classify" / "0123") == []


@pytest.mark.parametrize(
    ("chosen", "goal"),
    [
        (["segment", "evaluate", "report"], "evaluate"),
        (
            ["segment", "evaluate", "oracle_bound", "oracle_bound_same_schedule", "report"],
            "evaluate",
        ),
        (["refine", "oracle_bound"], "refine"),
        (["oracle_bound", "oracle_bound_same_schedule"], "oracle_bound_same_schedule"),
        (["report"], "report"),
    ],
)
def test_a_bound_that_runs_share_does_not_make_them_one_tracked_run(chosen, goal):
    assert goal_of(chosen) == goal


def test_names_of_runs_tell_methods_and_can_be_folders():
    configs = {
        "localize": {"method": {"_target_": "wsss.cams.gradcam.GradCAM"}},
        "refine": {"_target_": "wsss.stages.refine_given.run"},
    }
    name = run_name("my pets/2", configs, 3, "0123456789abcdef")
    assert name == "my_pets_2-GradCAM-given-seed3-01234567"


def test_metric_names_stay_apart_though_mlflow_takes_few_signs():
    assert metric_name("health/class_share/traffic light") == "health/class_share/traffic light"
    assert metric_name("iou/Tür") != metric_name("iou/Tor") != metric_name("iou/Tär")
    assert metric_name("a(b)") == "a_28b_29"


@pytest.mark.parametrize("name", ["mlflow", "wandb", "tensorboard"])
def test_a_tracker_that_is_not_installed_is_told_with_what_installs_it(name, tmp_path, monkeypatch):
    def refuse(_):
        raise InstantiationException("Error locating it") from ModuleNotFoundError(f"no {name}")

    monkeypatch.setattr("wsss.pipeline.tracking.opening.build", refuse)
    loggers = {"mlflow": "MLFlowLogger", "wandb": "WandbLogger", "tensorboard": "TensorBoardLogger"}
    target = f"pytorch_lightning.loggers.{loggers[name]}"
    cfg = OmegaConf.create({"logger": {name: {"_target_": target, "save_dir": str(tmp_path)}}})
    with pytest.raises(WsssError, match=rf"wsss\[{name}\]"):
        open_trackers(cfg, "a-run", tmp_path / "ledger.json")


def test_trackers_are_opened_by_one_run_at_a_time(tmp_path, monkeypatch):
    """MLflow's database breaks when two runs make it."""
    path, opened = tmp_path / "tracking" / "ledger.json", threading.Event()
    monkeypatch.setattr("wsss.pipeline.tracking.opening.build", lambda _: opened.set())
    target = "pytorch_lightning.loggers.CSVLogger"
    cfg = OmegaConf.create({"logger": {"plain": {"_target_": target, "save_dir": str(tmp_path)}}})
    with alone(path):
        other = threading.Thread(target=open_trackers, args=(cfg, "a-run", path))
        other.start()
        assert not opened.wait(0.3)
    assert opened.wait(30)
    other.join()


def test_a_class_that_is_no_logger_is_told(tmp_path):
    cfg = OmegaConf.create({"logger": {"mine": {"_target_": "no.such.Logger"}}})
    with pytest.raises(WsssError, match=r"logger\.mine\._target_: no\.such\.Logger"):
        open_trackers(cfg, "a-run", tmp_path / "ledger.json")
