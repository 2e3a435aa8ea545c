import gc
import io
import json
import pickle
import tarfile
import tracemalloc

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from wsss.cli.tables.data_check import render
from wsss.data.data_report import inspect_item, summarise
from wsss.data.image_inspection import Inspection
from wsss.data.inspection_table import InspectionTable
from wsss.data.source import SPLITS
from wsss.data.sources.folder.folder import Folder
from wsss.data.sources.huggingface import HuggingFace
from wsss.data.sources.webdataset import WebDataset
from wsss.errors import Severity

ERROR, SKIPPED, WARNING = Severity.ERROR, Severity.SKIPPED, Severity.WARNING


def check(source, **options):
    items = dict.fromkeys(item for split in SPLITS for item in source.items(split))
    inspections = [inspect_item(source, item) for item in items]
    return summarise(source, InspectionTable.of(pickle.loads(pickle.dumps(inspections))), **options)


def text(report, width=100):
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(render(report), crop=False)
    return captured.get()


@pytest.fixture
def pets(write_folder):
    """Root of six images for train and two for val, with masks, nothing wrong."""
    train = {f"t{i}.jpg": labels for i, labels in enumerate([["cat"], ["dog"], ["cat", "dog"]] * 2)}
    val = {"v0.jpg": ["cat"], "v1.jpg": ["dog"]}
    return write_folder(train | val, masks=True, splits={"train": list(train), "val": list(val)})


@pytest.fixture
def break_image(pets):
    """Overwrite an image of the data set with something else."""

    def overwrite(picture, name="t0.jpg", **options):
        picture.save(pets / "images" / name, **options)
        return Folder(pets)

    return overwrite


def resize_mask(pets, name, size):
    Image.new("L", size[::-1]).save(pets / "masks" / f"{name}.png")


def test_a_sound_data_set(pets):
    report = check(Folder(pets))
    assert not report.failed
    assert report.problems == report.blocking == ()
    assert report.num_images == report.num_masks == {"train": 6, "val": 2}
    assert report.class_counts == {"train": (4, 4), "val": (1, 1)}
    assert report.pair_counts == ((1, 2, 2),)
    assert report.sizes == dict.fromkeys([*(f"t{i}" for i in range(6)), "v0", "v1"], (24, 32))
    assert report.side_ranges == {"height": (24, 24, 24), "width": (32, 32, 32)}
    assert report.unusable == frozenset()
    (pets / "masks" / "t3.png").unlink()
    masked = check(Folder(pets)).masked
    assert [name for name in report.sizes if name not in report.masked] == []
    assert [name for name in report.sizes if name not in masked] == ["t3"]
    assert "of another data set" not in report.masked


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_width_cuts_a_word(write_folder, width):
    names = ["hippopotamus amphibius", "pseudotsuga_menziesii"]
    said = text(check(Folder(write_folder({f"t{i}.jpg": names for i in range(8)}))), width)
    for word in (
        "hippopotamus",
        "amphibius",
        "pseudotsuga_menziesii",
        "100%",
        "smallest",
        "ready.",
    ):
        assert word in said.replace(":", "").split(), word
    assert "…" not in said


def test_pairs_and_counts_are_tags_times_tags(write_folder):
    rng = np.random.default_rng(0)
    names = [f"class{i}" for i in range(6)]
    images = {f"{i}.jpg": [n for n in names if rng.random() < 0.4] for i in range(40)}
    source = Folder(write_folder(images, size=(2, 12)))
    tags = np.stack([source.tags(item) for item in source.items("train")]).astype(int)
    report = check(source)
    matrix = np.diag(report.class_counts["train"])
    for first, second, count in report.pair_counts:
        matrix[first - 1, second - 1] = matrix[second - 1, first - 1] = count
    np.testing.assert_array_equal(matrix, tags.T @ tags)


# Images.


def test_truncated_image_is_skipped(pets, find_problem):
    path = pets / "images" / "t0.jpg"
    path.write_bytes(path.read_bytes()[:300])
    report = check(Folder(pets), max_failed_fraction=0.2)
    find_problem(
        report.problems, SKIPPED, "images/t0.jpg: unreadable image, 300 bytes", "Replace it"
    )
    assert not report.failed
    assert report.unusable == {"t0"}
    assert report.unusable_ids == {"train": ("t0",), "val": ()}
    assert "t0" not in report.sizes


def test_too_many_unusable_images(pets, find_problem):
    (pets / "images" / "t0.jpg").write_bytes(b"junk")
    report = check(Folder(pets))
    assert report.failed
    find_problem(
        report.blocking, ERROR, "pets, split train: 1 of 6 images (16.7%) cannot be used",
        "at most 1.0%", "max_failed_fraction=0.2.",
    )  # fmt: skip
    find_problem(report.blocking, SKIPPED, "t0.jpg: not an image, 4 bytes")


def test_the_remedy_for_one_bad_image_of_twenty(write_folder, find_problem):
    images = {f"{i}.jpg": ["cat"] for i in range(21)}
    ids = [str(i) for i in range(21)]
    folder = write_folder(images, splits={"train": ids[:20], "val": ids[20:]})
    (folder / "images" / "0.jpg").write_bytes(b"junk")
    report = check(Folder(folder))
    find_problem(report.blocking, ERROR, "1 of 20 images (5.0%)", "max_failed_fraction=0.1.")
    assert not check(Folder(folder), max_failed_fraction=0.1).failed


def test_no_usable_image_is_never_tolerated(pets, find_problem):
    for name in ("v0.jpg", "v1.jpg"):
        (pets / "images" / name).write_bytes(b"junk")
    report = check(Folder(pets), max_failed_fraction=1.0)
    problem = find_problem(report.blocking, ERROR, "split val: 2 of 2 images (100.0%)")
    assert "max_failed_fraction" not in problem.remedy


def test_many_unreadable_images_are_one_problem(pets, find_problem):
    for i in range(6):
        (pets / "images" / f"t{i}.jpg").write_bytes(b"junk")
    problem = find_problem(check(Folder(pets)).problems, SKIPPED, "not an image")
    assert problem.where == str(pets / "images")
    assert problem.came == (
        "6 times: t0.jpg: not an image, 4 bytes; t1.jpg: not an image, 4 bytes; "
        "t2.jpg: not an image, 4 bytes; and 3 more"
    )


def test_tiny_image_is_skipped(pets, break_image, find_problem):
    resize_mask(pets, "t0", (1, 1))
    report = check(break_image(Image.new("RGB", (1, 1))), max_failed_fraction=0.2)
    find_problem(report.problems, SKIPPED, "t0.jpg: an image of 1 × 1 px", "at least 16 px a side")
    assert report.unusable == {"t0"}
    assert report.sizes["t0"] == (1, 1)


def test_large_image_is_mentioned(pets, break_image, find_problem):
    source = break_image(Image.new("RGB", (6000, 4000)))
    (pets / "masks" / "t0.png").unlink()
    report = check(Folder(source.root))
    find_problem(report.problems, WARNING, "1 image with a side over 4096 px: 't0'", "reduced size")
    assert not report.failed
    assert report.side_ranges["width"] == (32, 32, 6000)


@pytest.mark.parametrize(
    ("mode", "kind", "name"),
    [
        ("L", "greyscale", "t0.jpg"),
        ("CMYK", "CMYK", "t0.jpg"),
        ("I;16", "16-bit", "t0.png"),
        ("RGBA", "alpha", "t0.png"),
    ],
)
def test_converted_images_are_mentioned(pets, find_problem, mode, kind, name):
    (pets / "images" / "t0.jpg").unlink()
    Image.new(mode, (32, 24)).save(pets / "images" / name)
    table = pets / "labels.csv"
    table.write_text(table.read_text().replace("t0.jpg", "t0"))
    (pets / "splits/train.txt").write_text("\n".join(f"t{i}" for i in range(6)))
    report = check(Folder(pets))
    find_problem(
        report.problems, WARNING, "pets: images that are not plain RGB", f"1 {kind} ('t0')"
    )
    assert not report.failed


def test_rotated_image_fits_its_upright_mask(pets, break_image, find_problem):
    exif = Image.Exif()
    exif[0x0112] = 6
    source = break_image(Image.new("RGB", (24, 32)), exif=exif)
    report = check(source)
    find_problem(report.problems, WARNING, "1 EXIF-rotated ('t0')", "Nothing to do")
    assert not report.failed
    assert report.sizes["t0"] == (24, 32)


def test_conversions_are_one_problem(pets, break_image, find_problem):
    for i in range(5):
        break_image(Image.new("L", (32, 24)), f"t{i}.jpg")
    report = check(break_image(Image.new("CMYK", (32, 24)), "v0.jpg"))
    find_problem(
        report.problems, WARNING, "5 greyscale ('t0', 't1', 't2' and 2 more), 1 CMYK ('v0')"
    )


# Masks.


def test_mask_of_another_size(pets, find_problem):
    resize_mask(pets, "t0", (12, 16))
    report = check(Folder(pets))
    assert report.failed
    find_problem(
        report.blocking, ERROR, "masks/t0.png: a mask of 16 × 12 px for an image of 32 × 24 px",
        "Resize the mask", "Or remove the masks folder to run without evaluation",
    )  # fmt: skip


def test_mask_with_unknown_values(pets, find_problem):
    Image.fromarray(np.full((24, 32), 7, dtype=np.uint8)).save(pets / "masks" / "t0.png")
    report = check(Folder(pets))
    find_problem(
        report.blocking, ERROR, "masks/t0.png: a mask with unknown values: 7.", "1…2",
        "Renumber", "remove the masks folder",
    )  # fmt: skip


def test_mask_without_any_class(pets, find_problem):
    Image.fromarray(np.full((24, 32), 255, dtype=np.uint8)).save(pets / "masks" / "t0.png")
    report = check(Folder(pets))
    find_problem(report.problems, WARNING, "masks/t0.png: no pixel of any class", "255")
    assert not report.failed


# Lists.


def test_errors_of_the_lists_break_a_run(pets, find_problem):
    with (pets / "labels.csv").open("a") as table:
        table.write("\ngone.jpg,cat\n")
    report = check(Folder(pets))
    find_problem(report.blocking, ERROR, "no image 'gone.jpg'")


def test_empty_data_set_has_a_report(write_folder):
    report = check(Folder(write_folder({})))
    assert report.failed
    assert "would break a run" in text(report)


# On the terminal.


def test_table_shows_counts_pairs_sizes_and_verdict(pets):
    shown = text(check(Folder(pets)))
    for words in ("cat", "cat + dog", "50%", "1 distinct size", "✓ pets is ready."):
        assert words in shown


def test_table_shows_problems_in_full(pets):
    resize_mask(pets, "t0", (12, 16))
    (pets / "images" / "t1.jpg").write_bytes(b"junk")
    shown = " ".join(text(check(Folder(pets))).split())
    assert "a mask of 16 × 12 px for an image of 32 × 24 px" in shown
    assert "max_failed_fraction=0.2" in shown
    assert "✗ pets would break a run: 2 problems to mend." in shown


def test_names_are_no_markup(write_folder):
    source = Folder(
        write_folder({"[red]a.jpg": ["[bold]cat[/]"], "b.jpg": ["dog", "[bold]cat[/]"]})
    )
    assert "[bold]cat[/]" in text(check(source))


def folder_of(names, root):
    (root / "images").mkdir(parents=True)
    for name in names:
        (root / "images" / name).touch()
    rows = [f"{name},{'cat|dog' if name < '00100.jpg' else 'cat'}" for name in names]
    (root / "labels.csv").write_text("image,labels\n" + "\n".join(rows))
    return lambda: Folder(root)


def shards_of(names, root):
    pytest.importorskip("webdataset")
    root.mkdir()
    for start in range(0, len(names), 500):
        with tarfile.open(root / f"train-{start:05d}.tar", "w") as shard:
            for name in names[start : start + 500]:
                tags = ["cat", "dog"] if name < "00100.jpg" else ["cat"]
                for ending, content in (
                    (".jpg", b"image"),
                    (".mask.png", b"mask"),
                    (".json", json.dumps({"labels": tags}).encode()),
                ):
                    member = tarfile.TarInfo(name.replace(".jpg", ending))
                    member.size = len(content)
                    shard.addfile(member, io.BytesIO(content))
    return lambda: WebDataset(root)


def table_of(names, root):
    datasets = pytest.importorskip("datasets")
    image = {"bytes": b"image", "path": None}
    columns = {
        "image": [image] * len(names),
        "mask": [image] * len(names),
        "labels": [["cat", "dog"] if name < "00100.jpg" else ["cat"] for name in names],
        "name": [name.removesuffix(".jpg") for name in names],
    }
    features = {
        "image": datasets.Image(),
        "mask": datasets.Image(),
        "labels": datasets.Sequence(datasets.Value("string")),
        "name": datasets.Value("string"),
    }
    table = datasets.Dataset.from_dict(columns, features=datasets.Features(features))
    table.save_to_disk(root)
    return lambda: HuggingFace(root, mask="mask", id="name")


@pytest.mark.parametrize("made_of", [folder_of, shards_of, table_of])
def test_lists_and_report_take_tens_of_bytes_an_image(tmp_path, made_of):
    sent = []

    def kept(count):
        """Bytes that are kept of a data set of so many images, which are not decoded."""
        open_source = made_of(
            [f"{number:05d}.jpg" for number in range(count)], tmp_path / f"{count}"
        )
        tracemalloc.start()
        try:
            source = open_source()
            source.keep_index(tmp_path / "index")
            assert [source.fingerprint(split) for split in SPLITS]
            ids = (item_id for split in SPLITS for item_id in source.items(split).ids())
            inspections = InspectionTable.of(Inspection(item_id, 480, 640) for item_id in ids)
            report = summarise(source, inspections)
            assert sum(report.num_images.values()) == len(report.sizes) == count
            gc.collect()
            kept = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        sent.append(len(pickle.dumps(source.reader)))
        return kept

    kept(100)  # What is imported and cached only once.
    few, many = kept(300), kept(1800)
    assert many - few < 150 * 1500
    assert sent[-1] - sent[-2] < 1000, "what is sent to each process grows with the data set"
