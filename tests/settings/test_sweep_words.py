"""Words of sweeps and searches, and the libraries that they need."""

import pytest
from hydra.core.config_store import ConfigStore

from wsss.errors import WsssError
from wsss.settings import launchers
from wsss.settings.compose import compose_sweep
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
