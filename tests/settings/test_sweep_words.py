"""Words of sweeps and searches, and the libraries that they need."""

import os

import pytest
from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode

from wsss.errors import WsssError
from wsss.settings import launchers
from wsss.settings.compose import compose_sweep
from wsss.settings.config_dir import config_dir
from wsss.settings.folders import new_log_folder, search_folder
from wsss.settings.overrides import corners, expected_runs


@pytest.mark.parametrize(
    ("word", "extra"),
    [
        ("hydra/launcher=joblib", "joblib"),
        ("hydra.launcher=submitit_slurm", "submitit"),
        ("hydra/launcher=ray", "ray"),
        ("hydra/sweeper=optuna", "optuna"),
    ],
)
def test_an_extra_that_is_not_installed_is_told(monkeypatch, word, extra):
    monkeypatch.setattr(launchers, "is_installed", lambda _: False)
    with pytest.raises(WsssError, match=rf"pip install 'wsss\[{extra}\]'"):
        compose_sweep("run", [word, "seed=0,1"])


def test_whether_a_module_is_there():
    assert launchers.is_installed("hydra")
    assert not launchers.is_installed("no_such_package.part")


@pytest.mark.parametrize("group", ["launcher", "sweeper"])
def test_launchers_of_hydra_and_of_plugins_can_be_chosen(group):
    compose_sweep("run", [f"hydra/{group}=basic", "seed=0,1"])
    with pytest.raises(WsssError, match="basic") as refusal:
        compose_sweep("run", [f"hydra/{group}=basik", "seed=0,1"])
    assert "there is no option `basik`" in str(refusal.value)


def test_settings_of_launchers_are_those_of_this_package():
    compose_sweep("run", ["seed=0,1"])
    known = ConfigStore.instance().list("hydra/launcher")
    assert "basic.yaml" in known
    assert "joblib.yaml" not in known


def test_an_interval_is_for_a_search(monkeypatch):
    monkeypatch.setattr(launchers, "is_installed", lambda _: True)
    words = ["refine.method.min_confidence=interval(0.3,0.9)"]
    with pytest.raises(WsssError, match="add hydra/sweeper=optuna"):
        compose_sweep("run", words)
    assert len(compose_sweep("run", [*words, "hydra/sweeper=optuna"])) == 2


def test_both_ends_of_an_interval_are_checked(monkeypatch):
    monkeypatch.setattr(launchers, "is_installed", lambda _: True)
    with pytest.raises(WsssError, match=r"max_failed_fraction=2\.0"):
        compose_sweep("run", ["max_failed_fraction=interval(0,2)", "hydra/sweeper=optuna"])


def test_a_search_is_checked_by_its_corners():
    assert corners([["a=1", "a=2"], ["b=1", "b=2", "b=3"]]) == [
        ("a=1", "b=1"),
        ("a=2", "b=1"),
        ("a=1", "b=2"),
        ("a=1", "b=3"),
    ]


def test_the_runs_of_a_sweep_are_expected_those_of_a_search_are_not():
    assert expected_runs(["seed=0,1", "cam=cam"]) == [["seed=0"], ["seed=1"]]
    assert expected_runs(["seed=0,1", "hydra/sweeper=optuna"]) == []


def test_two_sweeps_that_start_in_one_second_have_a_folder_each(tmp_path):
    folders = [new_log_folder(str(tmp_path)) for _ in range(3)]
    assert len({*folders}) == 3
    assert all(folder.is_dir() for folder in folders)


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ("hydra.sweeper.n_trials=9", True),
        ("hydra/launcher=joblib", True),
        ("workers=1", True),
        ("seed=1", False),
        ("hydra.sweeper.objective=refine/coverage", False),
    ],
)
def test_a_search_is_found_again_by_its_words(tmp_path, changed, same):
    words = ["hydra/sweeper=optuna", "cam=cam,gradcam"]
    before, after = (
        search_folder(str(tmp_path), one) for one in (words, [*reversed(words), changed])
    )
    assert (before == after) is same


def test_the_folder_of_a_search_by_ground_truth_says_so(tmp_path):
    words = ["hydra/sweeper=optuna", "seed=0,1"]
    assert "oracle" not in search_folder(str(tmp_path), words).name
    assert search_folder(str(tmp_path), words, oracle=True).name.startswith("oracle-")


def test_jobs_of_slurm_ask_for_what_the_settings_say(monkeypatch, tmp_path):
    """SLURM is stood in for: `srun` is a file on the path, and what is submitted is looked at."""
    submitit = pytest.importorskip("submitit", reason="needs the extra submitit")
    (tmp_path / "srun").write_text("#!/bin/sh\n")
    (tmp_path / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    submitted = []

    class Finished:
        def results(self):
            return ["result"]

    def map_array(executor, _, *arguments):
        runs = [*zip(*arguments, strict=True)]
        submitted.append((executor._executor._make_submission_file_text("echo", "0"), runs))
        return [Finished() for _ in runs]

    monkeypatch.setattr(submitit.AutoExecutor, "map_array", map_array)
    words = ["hydra/launcher=submitit_slurm", "hydra.launcher.partition=gpu", "seed=0,1"]
    compose_sweep("run", words)
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        cfg = loader.load_configuration(
            "run", [*words, f"hydra.sweep.dir={tmp_path}"], run_mode=RunMode.MULTIRUN
        )
        launcher = Plugins.instance().instantiate_launcher(
            HydraContext(loader, Callbacks()), lambda _: None, cfg
        )
        assert launcher.launch([["seed=0"], ["seed=1"]], 0) == ["result", "result"]
    ((text, runs),) = submitted
    assert [run[0] for run in runs] == [["seed=0"], ["seed=1"]]
    for line in (
        "--partition=gpu", "--gpus-per-node=1", "--cpus-per-task=8", "--time=1440",
        "--signal=USR2@120", "--open-mode=append", "--job-name=wsss",
    ):  # fmt: skip
        assert f"#SBATCH {line}\n" in text
