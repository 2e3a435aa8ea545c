"""A folder of images in many formats: found by their names, read, and told apart in the check."""

import sys

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from wsss.data.data_report import inspect_item, summarise
from wsss.data.inspection_table import InspectionTable
from wsss.data.sources.folder.folder import Folder
from wsss.errors import Severity

ERROR, SKIPPED, WARNING = Severity.ERROR, Severity.SKIPPED, Severity.WARNING
PHOTO = Image.fromarray(np.full((24, 32, 3), (200, 100, 50), np.uint8))
PILLOW = ("a.gif", "b.jfif", "c.avif", "d.jp2", "e.j2k", "f.tif", "UPPER.JPG", "two.dots.jpg")


def report_of(root):
    source = Folder(root)
    items = {item.id: item for split in ("train", "val") for item in source.items(split)}
    return summarise(
        source, InspectionTable.of(inspect_item(source, item) for item in items.values())
    )


@pytest.fixture
def write_photos(write_folder):
    """A data set of `PHOTO` in files of these names, all labelled."""

    def write(*names):
        root = write_folder({})
        for name in names:
            path = root / "images" / name
            if path.suffix.lower() in {".heic", ".heif"}:
                pillow_heif.from_pillow(PHOTO).save(path, quality=90)
            else:
                options = {"format": "JPEG"} if path.suffix == ".jfif" else {}
                PHOTO.save(path, **options)
        rows = "".join(f"{name},{'cat' if i % 2 else 'dog'}\n" for i, name in enumerate(names))
        (root / "labels.csv").write_text(f"image,labels\n{rows}", encoding="utf-8")
        return root

    return write


def test_every_ending_is_found_and_read(write_photos):
    names = [*PILLOW, "g.heic", "h.heif"]
    report = report_of(write_photos(*names))
    assert not report.failed
    assert not report.problems
    assert sum(report.num_images.values()) == len(report.sizes) == len(names)
    assert set(report.sizes.values()) == {(24, 32)}


def test_kinds_are_counted(write_photos, write_dicom, find_problem):
    names = [f"{i}.gif" for i in range(3)]
    root = write_photos(*names, "x.png", "y.png")
    for name in names:
        path = root / "images" / name
        PHOTO.save(path, save_all=True, append_images=[Image.new("RGB", (32, 24))])
    scan = write_dicom(np.arange(600, dtype=np.uint8).reshape(20, 30) % 199, "s.dcm")
    scan.rename(root / "images" / "s.dcm")
    with (root / "labels.csv").open("a", encoding="utf-8") as table:
        table.write("s.dcm,cat\n")
    told = find_problem(report_of(root).problems, WARNING, "not plain RGB")
    assert "3 GIF (first frame) ('0', '1', '2')" in told.came
    assert "1 DICOM ('s')" in told.came
    assert "1 greyscale ('s')" in told.came


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("a.jpg", b"<!doctype html><html>", "a web page (HTML), not an image"),
        ("a.png", b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer, not"),
    ],
)
def test_no_image_is_named_as_what_it_is(write_photos, find_problem, name, content, named):
    root = write_photos(name, "b.png", "c.png")
    (root / "images" / name).write_bytes(content)
    report = report_of(root)
    find_problem(report.problems, SKIPPED, named)
    assert report.unusable == {"a"}


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ("a.pdf", "no image 'a.pdf' (that file is a PDF document)"),
        ("scan", "no image 'scan' (that file is there, but the names of images end in .avif, .bmp"),
        ("x" * 300, f"no image '{'x' * 300}'. Expected"),
    ],
)
def test_a_file_that_is_no_image_by_its_name_is_there_all_the_same(
    write_photos, find_problem, entry, named
):
    root = write_photos("b.png", "c.png")
    PHOTO.save(root / "images" / "a.pdf")
    PHOTO.save(root / "images" / "scan", format="PNG")
    with (root / "labels.csv").open("a", encoding="utf-8") as table:
        table.write(f"{entry},cat\n")
    find_problem(Folder(root).inspect(), ERROR, named)


def test_images_that_need_a_package_are_told_once(
    write_photos, find_problem, monkeypatch, fresh_pillow
):
    root = write_photos(*[f"{i}.heic" for i in range(6)], "b.png", "c.png")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    told = find_problem(report_of(root).problems, SKIPPED, "HEIC: `pip install 'wsss[heic]'`")
    assert told.came.startswith("6 times: 0.heic: HEIC, which the package pillow-heif reads")


def test_everyday_formats_go_before_those_of_telephones(write_photos, find_problem):
    root = write_photos("a.heic", "b.png", "c.png")
    PHOTO.save(root / "images" / "a.jpg")
    source = Folder(root)
    paths = {item.image.name for split in ("train", "val") for item in source.items(split)}
    assert paths == {"a.jpg", "b.png", "c.png"}
    find_problem(
        source.inspect(), WARNING, "'a.jpg' and 'a.heic' share the id 'a'", "Nothing to do"
    )
    PHOTO.save(root / "images" / "a.gif")
    (root / "images" / "a.jpg").unlink()
    find_problem(Folder(root).inspect(), ERROR, "'a.gif' and 'a.heic' share the id 'a'", "Rename")
