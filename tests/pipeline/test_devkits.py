"""Whole runs on the devkits of VOC 2012 and COCO 2014, in miniature."""

import json

import numpy as np
import pytest
from devkits import write_coco14, write_voc12
from devkits.voc12 import NOT_ANNOTATED, TRAIN, VAL
from PIL import Image

from wsss.data.sources.coco import Coco
from wsss.data.sources.voc import Voc

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools'


@pytest.fixture
def run_data(run, tmp_path):
    """Run all stages on a devkit."""

    def execute(data, root):
        return run(
            tmp_path / "runs",
            f"data={data}",
            f"data.root={root}",
            without=("data.", "segment.max_e"),
        )

    return execute


def check_outcomes(outcomes, source):
    """Pseudo masks have the tags alone, and the segmenter is scored on what is not void."""
    masks = outcomes["refine"].folder / "masks"
    items = source.items("train")
    assert {path.stem for path in masks.glob("*.png")} == {item.id for item in items}
    for item in items:
        mask = np.array(Image.open(masks / f"{item.id}.png"))
        assert mask.shape == source.read_image(item).shape[:2]
        assert {*np.unique(mask).tolist()} <= {0, 255, *item.labels}
    scores = json.loads((outcomes["evaluate"].folder / "metrics.json").read_text())["subjects"]
    val = source.items("val")
    assert scores["segmenter"]["num_images"] == len(val)
    pixels = sum((source.read_mask(item) != 255).sum() for item in val)
    assert sum(b["pixels"] for b in scores["segmenter"]["calibration"]["bins"]) == pixels
    assert scores["pseudo_masks"]["num_images"] == len(items)
    assert (outcomes["report"].folder / "report.html").is_file()


@pytest.mark.slow
def test_voc12(run_data, tmp_path):
    write_voc12(tmp_path / "voc")
    source = Voc(tmp_path / "voc")
    assert len(source.items("train")) == 7
    check_outcomes(run_data("voc12", tmp_path / "voc"), source)


@pytest.mark.slow
def test_coco14(run_data, tmp_path):
    root = write_coco14(tmp_path / "coco")
    outcomes = run_data("coco14", root)
    check_outcomes(outcomes, Coco(root))
    again = run_data("coco14", root)
    assert all(outcome.cached for outcome in again.values())


def test_a_check_tells_what_is_missing(wsss, tmp_path):
    status, said = wsss("check", "data=coco14", f"data.root={tmp_path}", f"work_dir={tmp_path}/w")
    assert status == 1
    assert "annotations/instances_train2014.json" in said
    assert "images.cocodataset.org/zips/train2014.zip" in said
    status, said = wsss("check", "data=voc12", f"data.root={tmp_path}", f"work_dir={tmp_path}/w")
    assert status == 1
    assert "VOCtrainval_11-May-2012.tar" in said


def test_a_check_of_devkits(wsss, tmp_path):
    root = write_coco14(tmp_path / "coco")
    status, said = wsss("check", "data=coco14", f"data.root={root}", f"work_dir={tmp_path}/w")
    assert status == 0
    assert "greyscale" in said
    assert "COCO_train2014_000000000007" in said  # a crowd alone: no pixel of a class
    lists = {"train": [*TRAIN, NOT_ANNOTATED], "val": VAL}
    write_voc12(tmp_path / "voc", lists, aug_masks=False)
    words = ("check", "data=voc12", f"data.root={tmp_path / 'voc'}", f"work_dir={tmp_path}/w")
    status, said = wsss(*words)
    assert status == 1
    assert f"{NOT_ANNOTATED}.xml: no such annotation" in said
    assert "instead of the 10,582" in said
