import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsss.artifacts import LabelStore, Manifest, Seeds, SeedStore, seed_size, write_json
from wsss.data.sample import Item
from wsss.data.source import TRAIN, VAL, Source
from wsss.errors import user_error
from wsss.report.audit_findings import VERSION
from wsss.stage_tools.context import Context
from wsss.stages import report

HEIGHT, WIDTH = 20, 30
NAMES = ("cat", "<b>dog</b>")


class Squares(Source):
    """Images of noise; the mask of each is a square of its first tag."""

    name = "squares"
    class_names = NAMES

    def __init__(self, has_masks: bool = True, broken: Sequence[str] = ()) -> None:
        self.has_masks = has_masks
        self.broken = broken

    def items(self, split: str) -> tuple[Item, ...]:
        return tuple(Item(f"{split}/{n}", (1, 2) if n % 2 else (2,)) for n in range(6))

    def read_image(self, item: Item) -> np.ndarray:
        if item.id in self.broken:
            raise user_error(item.id, "a broken image", "a whole one", "Mend it.")
        rng = np.random.default_rng(len(item.id))
        return rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)

    def read_mask(self, item: Item) -> np.ndarray | None:
        return square(item.labels[0]) if self.has_masks else None

    def fingerprint(self, split: str) -> str:
        return split

    def mask_fingerprint(self, split: str) -> str:
        return split


def square(label: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    mask[5:15, 5:15] = label
    return mask


def finish(folder: Path, stage: str) -> None:
    Manifest(stage, f"{stage}0123", {"of": stage}, {"images": 6.0}, commit="abc").write(folder)


def write_stages(root: Path, source: Source) -> dict[str, Path]:
    """Folders of all stages before the report, as they would be left for `source`."""
    folders = {stage: root / stage for stage in report.INPUTS}
    for stage, folder in folders.items():
        finish(folder, stage)
    for stage in ("classify", "segment"):
        log = folders[stage] / "curves" / "version_0" / "metrics.csv"
        log.parent.mkdir(parents=True)
        log.write_text(f"epoch,step,{stage}/train_loss\n0,3,0.75\n1,7,0.5\n")
    h, w = seed_size(HEIGHT, WIDTH)
    for item in source.items(TRAIN):
        labels = np.array(item.labels, dtype=np.uint16)
        maps = np.full((len(labels), h, w), 0.5, dtype=np.float16)
        SeedStore(folders["localize"] / "seeds").write(item, Seeds(labels, maps, (HEIGHT, WIDTH)))
        LabelStore(folders["refine"] / "masks").write(item, square(item.labels[0]))
    for split in (TRAIN, VAL):
        predictions = LabelStore(folders["evaluate"] / "predictions" / split)
        for item in source.items(split):
            predictions.write(item, square(item.labels[-1]))
    write_json(
        folders["evaluate"] / "gallery.json",
        {
            TRAIN: {"best": ["train/3", "train/1"], "median": ["train/2"], "worst": ["train/0"]},
            VAL: {"best": ["val/5"], "median": [], "worst": ["val/4", "no such image"]},
        },
    )
    write_json(
        folders["evaluate"] / "images.json",
        {TRAIN: {"train/3": {"pseudo_masks": 0.8768}}, VAL: {"val/5": {"segmenter": 0.4321}}},
    )
    subject = {"miou": 0.6543, "split": "train", "oracle": False, "per_class_iou": [0.9, 0.5, None]}
    write_json(
        folders["evaluate"] / "metrics.json",
        {"class_names": NAMES, "subjects": {"pseudo_masks": {**subject, "num_images": 6}}},
    )
    return folders


def context(root: Path, inputs: dict[str, Path], source: Source | None = None) -> Context:
    return Context(source or Squares(), root / "report" / "0123", inputs, workers=0)


def test_the_page_shows_the_gallery_with_its_scores(tmp_path: Path):
    run = context(tmp_path, write_stages(tmp_path, Squares()))
    numbers = report.run(run)
    page = (run.folder / "report.html").read_text()
    assert numbers == {"gallery_images": 12, "size_mb": round(len(page.encode()) / 1e6, 3)}
    for expected in ("0.8768", "0.4321", "65.4", "train/3", "val/4", "ground_truth", "pseudo mask"):
        assert expected in page
    assert "<b>dog</b>" not in page
    assert "&lt;b&gt;dog&lt;/b&gt;" in page


def test_the_page_advises_by_the_numbers_of_the_stages(tmp_path: Path):
    inputs = write_stages(tmp_path, Squares())
    Manifest("classify", "classify0123", {}, {"val_map": 0.4}).write(inputs["classify"])
    run = context(tmp_path, inputs)
    report.run(run)
    assert "mAP on tags is 40.0 %" in (run.folder / "report.html").read_text()


def test_every_row_is_a_picture(tmp_path: Path):
    run = context(tmp_path, write_stages(tmp_path, Squares()))
    report.run(run, panel_height_px=40)
    names = {path.name for path in (run.folder / "panels").iterdir()}
    train = {f"train_train%2F{n}.jpg" for n in range(4)}
    assert names == train | {"val_val%2F4.jpg", "val_val%2F5.jpg"}
    sizes = {}
    for name in names:
        with Image.open(run.folder / "panels" / name) as picture:
            sizes[name] = picture.size
    five, three = sizes["train_train%2F3.jpg"], sizes["val_val%2F5.jpg"]
    assert five[0] > three[0] > 2 * 90
    assert five[1] == three[1] > 60


def test_groups_of_rows_are_cut_to_the_wanted_number(tmp_path: Path):
    inputs = write_stages(tmp_path, Squares())
    for wanted, written in ((1, 5), (0, 0)):
        run = context(tmp_path / str(wanted), inputs)
        report.run(run, gallery_images=wanted)
        assert len([*run.folder.glob("panels/*.jpg")]) == written


def entries(run: Context) -> dict[str, dict]:
    """The images of the page's gallery, by id."""
    page = (run.folder / "report.html").read_text()
    data = re.search(r'id="gallery-data">(.*?)</script>', page, re.S)
    return {one["id"]: one for one in json.loads(data[1])["entries"]} if data else {}


def test_the_gallery_has_every_layer_that_stages_left(tmp_path: Path):
    run = context(tmp_path, write_stages(tmp_path, Squares()))
    report.run(run)
    shown = entries(run)
    train, val = shown["train/3"], shown["val/3"]
    assert {*train["masks"]} == {"pseudo_mask", "prediction", "ground_truth"}
    assert {*val["masks"]} == {"prediction", "ground_truth"}
    assert [one["kind"] for one in train["maps"]] == ["cam"]
    assert train["maps"][0]["labels"] == [1, 2]
    assert val["maps"] == []
    assert train["score"] == 0.8768
    # The prediction is the square of the last tag, of two: one class of two is not predicted.
    assert val["parts"] == {"tags_and_prediction": 0.5}
    assert shown["val/2"]["parts"] == {"tags_and_prediction": 0.0}


def test_a_page_without_room_shows_the_most_doubtful_and_some_at_even_distances(tmp_path: Path):
    run = context(tmp_path, write_stages(tmp_path, Squares()))
    numbers = report.run(run, page_images=4)
    assert numbers["gallery_images"] == 4
    # Odd images are in doubt: two of them, the first, and of the ten others every fifth.
    assert [*entries(run)] == ["train/0", "train/5", "val/1", "val/3"]
    assert "The page shows 4 of 12 images" in (run.folder / "report.html").read_text()


def write_audit_of(root: Path, name: str, stage: str = "classify", **changed) -> None:
    """An audit of a run whose source is `Squares`."""
    content = {
        "audit": VERSION, "finished": True, "folds": 5, "seed": 0, "checks": {},
        "run": {
            "stages": {"classify": f"../../classify/{stage}"},
            "data_fingerprints": {TRAIN: "train", VAL: "val"},
        },
    } | changed  # fmt: skip
    write_json(root / "audit" / name / "audit.json", content)


def found_audits(root: Path, inputs: dict[str, Path]) -> list[str]:
    fingerprints = {stage: folder.name for stage, folder in inputs.items()}
    data = {split: Squares().fingerprint(split) for split in (TRAIN, VAL)}
    return [path.parent.name for path in report.files_beside(root, fingerprints, data)]


def test_the_report_takes_the_audit_with_the_most_folds_that_is_finished_and_of_the_same_data(
    tmp_path: Path,
):
    inputs = write_stages(tmp_path, Squares())
    run = {"stages": {"classify": "../../classify/classify"}}
    refused = {
        "z_killed": {"finished": False},
        "z_another_version": {"audit": VERSION - 1},
        "z_before_versions": {"audit": None},
        "z_other_val": {"run": run | {"data_fingerprints": {TRAIN: "train", VAL: "other"}}},
        "z_unknown_data": {"run": run},
    }
    for name, changed in refused.items():
        write_audit_of(tmp_path, name, folds=20, **changed)
    assert found_audits(tmp_path, inputs) == []
    write_audit_of(tmp_path, "z_few_folds", folds=2)
    assert found_audits(tmp_path, inputs) == ["z_few_folds"]
    write_audit_of(tmp_path, "c_another_seed", folds=10, seed=3)
    write_audit_of(tmp_path, "b_again", folds=10)
    write_audit_of(tmp_path, "a_first_name", folds=5)
    write_audit_of(tmp_path, "d_again", folds=10)
    assert found_audits(tmp_path, inputs) == ["b_again"]


def test_the_findings_of_an_audit_of_this_run_are_shown(tmp_path: Path):
    inputs = write_stages(tmp_path, Squares())
    check = {
        "examined": 9, "flagged": 1, "rule": "By doubt.",
        "findings": [
            {"image": "train/3", "label": "cat", "other": None, "score": 0.9, "flagged": True,
             "advice": "Look at train/3 again."},
            {"image": "train/4", "label": "cat", "score": 0.1, "flagged": False,
             "advice": "Nothing."},
        ],
    }  # fmt: skip
    for name, stage in (("others", "another"), ("own", "classify")):
        checks = {"wrong_tag": check} if name == "own" else {}
        write_audit_of(tmp_path, name, stage, images=12, checks=checks)
    run = context(tmp_path, inputs)
    assert found_audits(tmp_path, inputs) == ["own"]
    report.run(run)
    page = (run.folder / "report.html").read_text()
    assert "Look at train/3 again." in page
    assert "Nothing." not in page
    assert '"../../audit/own/index.html"' in page


def test_what_a_killed_report_has_drawn_is_not_drawn_again(tmp_path: Path):
    source = Squares()
    run = context(tmp_path, write_stages(tmp_path, source), source)
    report.run(run)
    before = (run.folder / "report.html").read_bytes()
    (run.folder / "report.html").unlink()
    (run.folder / "layers" / "train" / "train%2F2.json").unlink()
    report.run(context(tmp_path, run.inputs, Squares(broken=["train/3"])))
    assert (run.folder / "report.html").read_bytes() == before


def test_same_inputs_same_bytes(tmp_path: Path):
    inputs = write_stages(tmp_path, Squares())
    pages = []
    for name in ("one", "two"):
        run = context(tmp_path / name, inputs)
        report.run(run)
        files = sorted(path for path in run.folder.rglob("*") if path.is_file())
        pages.append([(path.name, path.read_bytes()) for path in files])
    assert pages[0] == pages[1]


@pytest.mark.parametrize("missing", report.INPUTS)
def test_any_stage_may_be_missing(tmp_path: Path, missing: str):
    inputs = write_stages(tmp_path, Squares())
    del inputs[missing]
    run = context(tmp_path, inputs)
    assert report.run(run)["gallery_images"] > 0
    page = (run.folder / "report.html").read_text()
    assert f"{missing}0123" not in page
    assert ('id="classes"' in page) == (missing != "evaluate")


def test_no_stage_at_all(tmp_path: Path):
    run = context(tmp_path, {}, Squares(has_masks=False))
    assert report.run(run)["gallery_images"] == 0
    assert "No stage has finished yet" in (run.folder / "report.html").read_text()


def test_without_ground_truth_a_sample_is_shown(tmp_path: Path):
    source = Squares(has_masks=False)
    inputs = write_stages(tmp_path, source)
    for name in ("metrics.json", "images.json"):
        write_json(inputs["evaluate"] / name, {})
    ids = [item.id for item in source.items(TRAIN)]
    write_json(inputs["evaluate"] / "gallery.json", {TRAIN: {"sample": ids}, VAL: {"sample": []}})
    run = context(tmp_path, inputs, source)
    assert report.run(run, gallery_images=2)["gallery_images"] == 12
    assert len([*run.folder.glob("panels/*.jpg")]) == 6
    page = (run.folder / "report.html").read_text()
    assert "oracle-layer" in page
    assert not any("ground_truth" in one["masks"] for one in entries(run).values())
    assert 'badge oracle"' not in page


def test_an_unreadable_image_is_left_out_and_noted(tmp_path: Path):
    source = Squares(broken=["train/3"])
    run = context(tmp_path, write_stages(tmp_path, source), source)
    assert report.run(run)["gallery_images"] == 11
    assert (run.folder / "failures" / "train%2F3.json").is_file()


def test_the_title_can_be_chosen(tmp_path: Path):
    run = context(tmp_path, write_stages(tmp_path, Squares()))
    report.run(run, title="Cats & dogs")
    assert "Cats &amp; dogs</h1>" in (run.folder / "report.html").read_text()
