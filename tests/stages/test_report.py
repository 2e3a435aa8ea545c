from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsss.artifacts import LabelStore, Manifest, Seeds, SeedStore, seed_size, write_json
from wsss.data.sample import Item
from wsss.data.source import TRAIN, VAL, Source
from wsss.errors import user_error
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
    return Context(source or Squares(), root / "report", inputs)


def test_the_page_shows_the_gallery_with_its_scores(tmp_path: Path):
    run = context(tmp_path, write_stages(tmp_path, Squares()))
    numbers = report.run(run)
    page = (run.folder / "report.html").read_text()
    assert numbers == {"gallery_images": 6, "size_mb": round(len(page.encode()) / 1e6, 3)}
    for expected in ("87.7", "43.2", "65.4", "train/3", "val/4", "ground truth", "pseudo mask"):
        assert expected in page
    assert "<b>dog</b>" not in page
    assert "&lt;b&gt;dog&lt;/b&gt;" in page


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


def test_groups_are_cut_to_the_wanted_number(tmp_path: Path):
    run = context(tmp_path, write_stages(tmp_path, Squares()))
    assert report.run(run, gallery_images=1)["gallery_images"] == 5
    assert report.run(run, gallery_images=0)["gallery_images"] == 0


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
    assert ('id="funnel"' in page) == (missing != "evaluate")


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
    assert report.run(run, gallery_images=2)["gallery_images"] == 6
    page = (run.folder / "report.html").read_text()
    assert "no ground truth to rank them by" in page
    assert "ground truth</b>" not in page


def test_an_unreadable_image_is_left_out_and_noted(tmp_path: Path):
    source = Squares(broken=["train/3"])
    run = context(tmp_path, write_stages(tmp_path, source), source)
    assert report.run(run)["gallery_images"] == 5
    assert (run.folder / "failures" / "train%2F3.json").is_file()


def test_the_title_can_be_chosen(tmp_path: Path):
    run = context(tmp_path, write_stages(tmp_path, Squares()))
    report.run(run, title="Cats & dogs")
    assert "Cats &amp; dogs</h1>" in (run.folder / "report.html").read_text()
