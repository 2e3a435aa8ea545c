"""Libraries that a command, or a process that works for it, loads: seconds before it starts.

Every process of these tests notes what it has loaded when it ends.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wsss.artifacts import LabelStore, Seeds, SeedStore, seed_size
from wsss.data.sources.folder import Folder
from wsss.refine import ConfidentLabels, CrfRefinement, NumbaEngine, OtsuMean, Threshold
from wsss.stage_tools.context import Context
from wsss.stage_tools.scoring import CountStore, ScoreTrainItem
from wsss.stage_tools.seed_labels import LabelItem
from wsss.stage_tools.worker_pool import failures, process_items
from wsss.stages.refine import run as refine

NOTE = """
import atexit, os, pathlib, sys
def note():
    loaded = {name.partition(".")[0] for name in sys.modules} | {"torch._dynamo"} & {*sys.modules}
    path = pathlib.Path(os.environ["LOADED_LIBRARIES"], str(os.getpid()))
    path.write_text("\\n".join(loaded), encoding="utf-8")
atexit.register(note)
"""

SLOW = {
    "albumentations",
    "cv2",
    "lightning_fabric",
    "matplotlib",
    "numba",
    "numpy",
    "pytorch_lightning",
    "scipy",
    "segmentation_models_pytorch",
    "sklearn",
    "timm",
    "torch",
    "torch._dynamo",
    "torchmetrics",
    "torchvision",
    "wandb",
}
"""What takes a tenth of a second or more."""

NETWORK = {"cv2", "numpy", "timm", "torch", "torchvision"}  # timm loads torchvision


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """Of the processes that have ended since: the slow libraries that each loaded, by its id."""
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "sitecustomize.py").write_text(NOTE, encoding="utf-8")
    monkeypatch.setenv("LOADED_LIBRARIES", str(notes))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(notes), *sys.path]))

    def collect():
        paths = (path for path in notes.iterdir() if path.name.isdigit())
        return {int(path.name): SLOW & set(path.read_text().splitlines()) for path in paths}

    return collect


def run(folder: Path, *words: str, status: int = 0) -> int:
    """Run a command in an empty folder, and give its process's id."""
    folder.mkdir()
    command = [sys.executable, "-m", "wsss", *words]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        said, _ = process.communicate()
    assert process.returncode == status, said
    return process.pid


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--help"], 0),
        (["run", "--help"], 0),
        (["run", "--cfg", "job"], 0),
        (["run", "sed=1"], 1),
        (["explain", "--help"], 0),
        (["predict", "--help"], 0),
        (["predict", "--scale=1"], 1),
        (["audit", "--help"], 0),
        (["audit", "--cfg", "job"], 0),
        (["audit", "--fold=4"], 1),
    ],
)
def test_help_and_a_mistyped_setting_load_no_slow_library(loaded, tmp_path, words, status):
    command = run(tmp_path / "here", *words, status=status)
    assert loaded() == {command: set()}


def test_a_check_loads_what_reads_images_alone(loaded, write_folder, tmp_path):
    root = write_folder(masks=True)
    command = run(tmp_path / "here", "check", "data=folder", f"data.root={root}", "workers=2")
    by_process = loaded()
    assert by_process.pop(command) == {"numpy"}
    assert set().union(*by_process.values()) == {"numpy"}  # that which tracks semaphores has none


def test_an_explanation_loads_its_network_and_its_method_alone(loaded, write_folder, tmp_path):
    image = write_folder() / "images" / "cat_0.jpg"
    words = ["model=timm:tf_efficientnet_lite0", "weights=package"]
    command = run(tmp_path / "here", "explain", str(image), *words)
    assert loaded()[command] <= NETWORK


@pytest.fixture
def data(write_folder, tmp_path):
    """A data set, its training items, and seeds of them in `localize/seeds`."""
    source = Folder(write_folder(masks=True))
    store = SeedStore(tmp_path / "localize" / "seeds")
    for item in source.items("train"):
        size = source.read_image(item).shape[:2]
        maps = np.linspace(0, 1, len(item.labels) * np.prod(seed_size(*size)), dtype=np.float16)
        maps = maps.reshape(len(item.labels), *seed_size(*size))
        store.write(item, Seeds(np.array(item.labels, np.uint16), maps, size))
    return source, source.items("train"), store


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (Threshold(OtsuMean()), {"cv2", "numpy"}),
        (CrfRefinement(NumbaEngine(num_iterations=1), OtsuMean()), {"cv2", "numpy", "numba"}),
    ],
)
def test_processes_that_refine_load_a_compiler_for_the_crf_alone(
    loaded, data, tmp_path, method, expected
):
    source, _, store = data
    (tmp_path / "refine").mkdir()
    context = Context(source, tmp_path / "refine", {"localize": store.folder.parent}, workers=1)
    refine(context, method=method)
    (worker,) = loaded().values()
    assert worker - {"scipy"} == expected  # numba looks for scipy


def labelling(source, store, folder):
    labels = ConfidentLabels(NumbaEngine(num_iterations=1))
    return LabelItem(source, store, LabelStore(folder / "labels"), labels)


def scoring(source, store, folder):
    counts, masks = CountStore(folder / "counts"), LabelStore(folder / "masks")
    return ScoreTrainItem(source, counts, {"seeds": store}, masks, (0.5,), {"seeds": 0.3})


@pytest.mark.parametrize(
    ("make", "expected"),
    [(labelling, {"cv2", "numpy", "numba"}), (scoring, {"cv2", "numpy"})],
)
def test_processes_that_label_and_score_load_no_torch(loaded, data, tmp_path, make, expected):
    source, items, store = data
    calls = [(item,) for item in items]
    assert list(process_items(make(source, store, tmp_path), calls, 1, tmp_path))
    assert not failures(tmp_path)
    (worker,) = loaded().values()
    assert worker - {"scipy"} == expected
