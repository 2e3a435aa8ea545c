"""`wsss.run`: the pipeline from Python, without a trace in the process."""

import logging
import os
import random
import subprocess
import sys
import warnings
from importlib import import_module

import numpy as np
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

import wsss
from wsss.artifacts import LabelStore
from wsss.data.source import VAL
from wsss.data.sources.synthetic.synthetic import Synthetic
from wsss.errors import WsssError

FEW = ("data.num_train=6", "data.num_val=2", "data.size_px=64")


def surroundings():
    """What a run must not change; libraries change some of it when they are first imported."""
    import_module("wsss.pipeline.run")
    return (
        list(sys.argv),
        dict(os.environ),
        list(warnings.filters),
        GlobalHydra.instance().is_initialized(),
        {name: logging.getLogger(name).level for name in ("pytorch_lightning", "lightning_fabric")},
        (logging.getLogger().level, list(logging.getLogger().handlers)),
        random.getstate(),
        str(np.random.get_state()),  # noqa: NPY002
        torch.get_rng_state().tolist(),
    )


@pytest.fixture(scope="module")
def finished(tiny_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    before = surroundings()
    run = wsss.run([*FEW, *tiny_run, "logger=tensorboard", f"work_dir={folder}"])
    assert surroundings() == before
    return folder, run


FIRST_CALL = """
import os, random, sys
before = random.getstate(), dict(os.environ)
import wsss
{call}
after = random.getstate(), dict(os.environ)
assert after[0] == before[0], "random"
assert after[1] == before[1], {{*after[1].items()}} ^ {{*before[1].items()}}
"""
RUN = "wsss.run(['stages=[classify]', 'classify.max_epochs=1', 'work_dir=runs', {words}])"
CAM = """
cam = wsss.cam
import torch
from torch.nn import AdaptiveAvgPool2d, Conv2d, Flatten, Linear, Sequential
network = Sequential(Conv2d(3, 4, 3), AdaptiveAvgPool2d(1), Flatten(), Linear(4, 2))
cam(network, torch.rand(3, 32, 32), 1)
"""


@pytest.mark.parametrize("call", ["run", "cam"])
def test_the_first_call_of_a_process_leaves_random_numbers_and_environment(call, tmp_path):
    words = ", ".join(map(repr, [*FEW, "workers=0", "classify.feature_windows=1"]))
    code = FIRST_CALL.format(call={"run": RUN.format(words=words), "cam": CAM}[call])
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_a_run_has_folders_and_numbers(finished):
    folder, run = finished
    assert list(run.folders) == ["classify", "localize", "refine", "segment", "evaluate", "report"]
    assert all(one.parent.parent == folder for one in run.folders.values())
    assert list(folder.glob("tensorboard/**/events.*"))
    assert run.report.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert 0 <= run.numbers["segment"]["pseudo_miou"] <= 1
    assert not any(run.cached.values())


def test_the_networks_of_a_run_are_at_hand(finished):
    _, run = finished
    assert run.segmenter.folder == run.folders["segment"]
    assert run.classifier.folder == run.folders["classify"]
    assert run.segmenter.names[1:] == run.classifier.names


def test_a_second_run_finds_everything_finished(tiny_run, finished):
    folder, run = finished
    again = wsss.run([*FEW, *tiny_run, f"work_dir={folder}", "stages=[classify,localize]"])
    assert again.cached == {"classify": True, "localize": True}
    assert again.folders["localize"] == run.folders["localize"]
    with pytest.raises(
        WsssError, match=r"a run of classify, localize. Expected one with `segment`"
    ):
        _ = again.segmenter


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["refine.method.min_confidnce=0.7"], "min_confidence"),
        (["data=foldr"], "folder"),
        (["data=folder"], "data.root"),
        (["seed"], "cannot be read as a setting"),
        ("sed=1", "seed"),
    ],
)
def test_what_is_wrong_with_settings_is_said(words, message, tmp_path):
    before = surroundings()
    with pytest.raises(WsssError, match=message):
        wsss.run(words)
    assert surroundings() == before


def test_several_processes_are_refused_since_each_would_run_the_program(tmp_path):
    with pytest.raises(WsssError, match=r"2 processes.*in a terminal, or start .* torchrun"):
        wsss.run(["trainer=ddp_cpu", f"work_dir={tmp_path}"])


def test_a_work_dir_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "a_file").touch()
    with pytest.raises(WsssError, match="this folder cannot be used: it is a file"):
        wsss.run([f"work_dir={tmp_path / 'a_file'}"])


def test_predictions_are_those_of_the_evaluation(finished):
    _, run = finished
    source = Synthetic(num_train=6, num_val=2, size_px=64)
    masks = LabelStore(run.folders["evaluate"] / "predictions" / VAL)
    for item in source.items(VAL):
        found = run.segmenter.predict(source.read_image(item))
        np.testing.assert_array_equal(found.labels, masks.read(item))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("data=folder data.root=data", "['data=folder', 'data.root=data']"),
        ({"data": "folder", "seed": 1}, "['data=folder', 'seed=1']"),
        (3, "['data=folder', 'data.root=data']"),
    ],
)
def test_settings_are_a_list_of_words(settings, words):
    with pytest.raises(WsssError) as refusal:
        wsss.run(settings)
    assert refusal.value.problems[0].remedy == f"Give a list: `wsss.run({words})`."
