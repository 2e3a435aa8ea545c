"""The command on a tiny segmenter: its masks, tables and messages."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from wsss.artifacts import voc_palette
from wsss.data.sample import Item
from wsss.models.saved_networks import load_segmenter
from wsss.predict.voc_submission import told
from wsss.refine import NumbaEngine

WORDS = ("output=o", "overlays=false")


def rows(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return [*csv.DictReader(stream)]


def read(path):
    with Image.open(path) as opened:
        return np.array(opened)


@torch.no_grad()
def softmax(segmenter, path):
    """Of an image whose sides are multiples of the stride: seen as it is."""
    model, _ = load_segmenter(segmenter)
    image = torch.from_numpy(read(path)).permute(2, 0, 1)[None] / 255
    return model(image)[0].softmax(dim=0).numpy()


def test_masks_areas_and_probabilities_are_the_networks(predict, picture, segmenter, here):
    paths = [picture("p/a.png"), picture("p/sub/a.png", 64, 48)]
    status, said = predict("p", *WORDS, "--probabilities")
    assert status == 0, said
    assert "Predicting 2 images on the CPU" in said
    table = rows(here / "o" / "predictions.csv")
    assert [*dict.fromkeys(row["image"] for row in table)] == ["p/a.png", "p/sub/a.png"]
    for path, stem in zip(paths, ("a", "sub%2Fa"), strict=True):
        probabilities = softmax(segmenter, path)
        expected = probabilities.argmax(axis=0)
        assert len(np.unique(expected)) > 1
        with Image.open(here / "o" / "masks" / f"{stem}.png") as mask:
            assert mask.mode == "P"
            assert np.array_equal(np.reshape(mask.getpalette("RGB"), (-1, 3)), voc_palette())
            assert np.array_equal(np.array(mask), expected)
        own = [row for row in table if row["mask"] == f"masks/{stem}.png"]
        assert {int(row["label"]): int(row["area_px"]) for row in own} == {
            label: (expected == label).sum() for label in np.unique(expected)
        }
        for row in own:
            here_ = expected == int(row["label"])
            assert row["class"] == ("background", "cat", "dog", "sofa")[int(row["label"])]
            assert float(row["area_percent"]) == pytest.approx(100 * here_.mean(), abs=1e-4)
            mean = probabilities[int(row["label"])][here_].mean()
            assert float(row["confidence"]) == pytest.approx(mean, abs=1e-3)
        with np.load(here / "o" / "probabilities" / f"{stem}.npz") as saved:
            present = probabilities.max(axis=(1, 2)) >= 0.05
            assert saved["labels"].tolist() == np.flatnonzero(present).tolist()
            assert saved["probabilities"].dtype == np.float16
            np.testing.assert_allclose(saved["probabilities"], probabilities[present], atol=1e-3)


def test_scales_and_mirror_images_are_averaged(predict, picture, segmenter, here):
    path = picture("a.png", 64, 64)
    assert predict("a.png", *WORDS, "--flip", "--probabilities")[0] == 0
    Image.fromarray(read(path)[:, ::-1]).save(here / "mirrored.png")
    one, other = softmax(segmenter, path), softmax(segmenter, here / "mirrored.png")
    mean = (one + other[:, :, ::-1]) / 2
    assert (read(here / "o" / "masks" / "a.png") == mean.argmax(axis=0)).mean() > 0.999
    with np.load(here / "o" / "probabilities" / "a.npz") as saved:
        np.testing.assert_allclose(saved["probabilities"], mean[saved["labels"]], atol=1e-3)


def test_crfs_that_are_solved_together_give_the_same_masks(predict, picture, here, monkeypatch):
    for name in "abc":
        picture(f"p/{name}.png")
    assert predict("p", *WORDS, "--crf")[0] == 0
    monkeypatch.setattr(NumbaEngine, "in_batches", True)
    assert predict("p", "output=together", "overlays=false", "--crf")[0] == 0
    assert predict("p", "output=without", "overlays=false")[0] == 0
    for name in "abc":
        mask = read(here / "o" / "masks" / f"{name}.png")
        assert np.array_equal(read(here / "together" / "masks" / f"{name}.png"), mask)
        assert not np.array_equal(read(here / "without" / "masks" / f"{name}.png"), mask)


def test_an_overlay_names_the_classes_below_the_image(predict, picture, here):
    picture("a.png")
    assert predict("a.png", "output=o")[0] == 0
    drawn = read(here / "o" / "overlays" / "a.jpg")
    assert drawn.shape[0] > 48 + 13
    assert drawn.shape[1] >= 64
    assert (drawn[48:] > 240).mean() > 0.3  # a legend on white


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # its own
def test_coco_reads_its_annotations(predict, picture, here, capsys):
    from pycocotools.coco import COCO

    picture("p/a.png")
    picture("p/b.png", 80, 48)
    assert predict("p", *WORDS, "--coco")[0] == 0
    loaded = COCO(here / "o" / "coco.json")
    capsys.readouterr()  # It prints.
    assert {one["id"]: one["name"] for one in loaded.cats.values()} == {
        1: "cat", 2: "dog", 3: "sofa",
    }  # fmt: skip
    assert [one["file_name"] for one in loaded.imgs.values()] == ["p/a.png", "p/b.png"]
    for number, name in enumerate(("a", "b"), 1):
        mask = read(here / "o" / "masks" / f"{name}.png")
        found = loaded.loadAnns(loaded.getAnnIds(imgIds=number))
        assert [one["category_id"] for one in found] == [one for one in np.unique(mask) if one]
        for one in found:
            segment = mask == one["category_id"]
            assert np.array_equal(loaded.annToMask(one), segment)
            assert one["area"] == segment.sum()
            ys, xs = segment.nonzero()
            box = [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
            assert one["bbox"] == box


def test_a_submission_to_voc(predict, picture, make_segmenter, here, tmp_path):
    names = (
        "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike "
        "person pottedplant sheep sofa train tvmonitor"
    )
    folder = make_segmenter(tmp_path / "voc", tuple(names.split()))
    picture("p/2008_000001.png")
    status, said = predict(
        "p", *WORDS, "--voc-submission", "--voc-competition=comp5", f"segmenter={folder}"
    )
    assert status == 0, said
    place = here / "o" / "results" / "VOC2012" / "Segmentation" / "comp5_test_cls"
    (submitted,) = place.iterdir()
    assert submitted.name == "2008_000001.png"
    assert submitted.read_bytes() == (here / "o" / "masks" / submitted.name).read_bytes()
    assert "1 mask: the server wants one for each of test.txt's 1,456 ids" in said
    assert "unlike VOC's" not in said
    assert "tar -C 'o' -czf results.tgz results" in said


def test_ids_unlike_vocs_are_told():
    lines = told(Path("o"), [Item("2008_000001", ()), Item("cat", ()), Item("a/2008_000001", ())])
    assert "2 ids unlike VOC's 2008_000001: 'cat', 'a/2008_000001'" in lines


def test_other_classes_are_no_submission(predict, picture):
    picture("a.png")
    status, said = predict("a.png", "--voc-submission")
    assert status == 1
    assert "a segmenter of 3 classes, without aeroplane, bicycle" in said


def test_a_classifier_tags_and_explains(predict, picture, classifier, here):
    from wsss.models.saved_networks import load_classifier

    path = picture("a.png", 64, 64)
    status, said = predict("a.png", *WORDS, f"classifier={classifier}", "--tag-threshold=0.5")
    assert status == 0, said
    model, _ = load_classifier(classifier)
    with torch.inference_mode():
        image = torch.from_numpy(read(path)).permute(2, 0, 1)[None] / 255
        expected = dict(
            zip(("cat", "dog", "sofa"), model(image).sigmoid()[0].tolist(), strict=True)
        )
    (row,) = rows(here / "o" / "tags.csv")
    assert row.pop("image") == "a.png"
    assert row.pop("labels") == "|".join(name for name, p in expected.items() if p >= 0.5)
    assert {name: float(p) for name, p in row.items()} == pytest.approx(expected, abs=1e-3)
    assert (here / "o" / "explanations" / "a.png").is_file()


def test_tags_and_explanations_of_another_classifier_are_made_anew(
    predict, picture, classifier, make_classifier, here, tmp_path
):
    picture("a.png")
    other = make_classifier(tmp_path / "other", 1)
    sheet, tags = here / "o" / "explanations" / "a.png", here / "o" / "tags.csv"
    assert predict("a.png", *WORDS, f"classifier={classifier}")[0] == 0
    first, cam = tags.read_bytes(), sheet.read_bytes()
    written = sheet.stat().st_mtime_ns
    assert predict("a.png", *WORDS, f"classifier={classifier}")[0] == 0
    assert sheet.stat().st_mtime_ns == written
    words = (*WORDS, f"classifier={classifier}", "--explanations=gradcam")
    assert predict("a.png", *words)[0] == 0
    assert tags.read_bytes() == first
    assert sheet.read_bytes() != cam
    assert predict("a.png", *WORDS, f"classifier={other}", "explanations=[]")[0] == 0
    assert tags.read_bytes() != first
    assert not sheet.exists()
    assert predict("a.png", *WORDS, f"classifier={classifier}")[0] == 0
    assert (tags.read_bytes(), sheet.read_bytes()) == (first, cam)


def test_a_classifier_of_other_classes_is_refused(
    predict, picture, classifier, make_segmenter, tmp_path
):
    picture("a.png")
    other = make_segmenter(tmp_path / "other", ("cat", "sofa", "dog"))
    status, said = predict("a.png", f"segmenter={other}", f"classifier={classifier}")
    assert status == 1
    assert "a classifier of cat, dog, sofa" in said
    assert "in their order: cat, sofa, dog" in said


def test_a_method_that_cannot_explain_is_told_by_its_setting(predict, picture, classifier):
    picture("a.png")
    for name, said in (("camm", "no method `camm`"), ("recam", "recam")):
        status, answer = predict("a.png", f"classifier={classifier}", f"--explanations={name}")
        assert status == 1
        assert f"explanations={name}" in answer
        assert said in answer


def test_what_cannot_be_read_is_told_and_the_others_are_predicted(predict, picture, here):
    picture("good.png")
    cut = picture("cut.png").read_bytes()
    (here / "cut.png").write_bytes(cut[: len(cut) // 2])
    (here / "broken.jpg").write_text("no image")
    status, said = predict("good.png", "broken.jpg", "cut.png", "gone.jpg", *WORDS)
    assert status == 0
    assert "left out: broken.jpg: not an image" in said
    assert "left out: gone.jpg: no such file" in said
    assert "left out: cut.png: unreadable image" in said
    assert said.count("Expected an intact image") == 2
    assert [path.name for path in (here / "o" / "masks").iterdir()] == ["good.png"]
    assert {row["image"] for row in rows(here / "o" / "predictions.csv")} == {"good.png"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gone.jpg"], "gone.jpg no such file"),
        ([], "no image"),
        (["a.png", "segmenter=nowhere"], "nowhere no exported segmenter here"),
        (["a.png", "--tile-px=2048"], "at most max_side_px=1024"),
        (["a.png", "--tile-px=128", "--overlap-px=128"], "less than tile_px=128"),
        (["a.png", "--scale=1"], "`scales`"),
        (["a.png", "--scales=0"], "greater than 0"),
        (["a.png", "device=cuda:99"], "device=cuda:99"),
        (["a.png", "voc_competition=comp7"], "'comp5' or 'comp6'"),
        (["a.png", "--max-megapixels=0.001"], "64 × 48 px"),
    ],
)
def test_mistakes_are_answered(predict, picture, words, said):
    picture("a.png")
    status, answer = predict(*words)
    assert status == 1
    assert said in answer.replace("│ ", "")


def test_no_segmenter_is_a_mistake(predict, picture):
    picture("a.png")
    status, said = predict("a.png", "--segmenter=null")
    assert (status, "no exported segmenter" in said or "no segmenter" in said) == (1, True)


def test_a_folder_of_other_predictions_is_left_alone(predict, picture, here):
    picture("a.png")
    assert predict("a.png", *WORDS)[0] == 0
    before = (here / "o" / "masks" / "a.png").read_bytes()
    status, said = predict("a.png", *WORDS, "--flip")
    assert status == 1
    assert "flip False, now True" in said
    picture("b.png")
    status, said = predict("a.png", "b.png", *WORDS)
    assert status == 1
    assert "other images" in said
    assert (here / "o" / "masks" / "a.png").read_bytes() == before


@pytest.mark.parametrize("words", [["output=o"], []])
def test_results_among_the_images_are_no_images(predict, picture, words):
    picture("a.png")
    for _ in range(2):
        status, said = predict(".", *words)
        assert status == 0, said
        assert "Predicting 1 image " in said


def test_a_folder_of_other_files_takes_no_predictions(predict, picture, here):
    picture("p/a.png")
    status, said = predict("p", "output=p")
    assert status == 1
    assert "a folder with files that `wsss predict` did not write: 'a.png'" in said
    assert not (here / "p" / "masks").exists()


def test_the_same_request_has_the_same_folder_and_another_another(predict, picture, here):
    picture("a.png")
    for more in ([], ["--coco"], ["overlays=false"], ["--flip"], ["--batch-size=2"]):
        assert predict("a.png", *more)[0] == 0
    assert len([*(here / "runs" / "predict").iterdir()]) == 3
    assert len([*(here / "runs" / "predict").glob("*/coco.json")]) == 1


def test_the_note_of_the_request_is_plain(predict, picture, here):
    picture("a.png")
    assert predict("a.png", *WORDS)[0] == 0
    request = json.loads((here / "o" / "request.json").read_text())
    assert request["images"] == [["a", str(here / "a.png"), (here / "a.png").stat().st_size]]
