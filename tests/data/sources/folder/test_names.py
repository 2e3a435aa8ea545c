"""Names of images and classes that must pass from the table to the stages, as they are written."""

import csv
import io
import os
import sys
import unicodedata

import pytest
from PIL import Image

from wsss.data.data_report import inspect_item, summarise
from wsss.data.inspection_table import InspectionTable
from wsss.data.sources.folder.folder import Folder
from wsss.errors import Severity, WsssError

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "naïve.jpg") for form in ("NFC", "NFD"))
IMAGES = (
    "a,b.jpg", 'say "hi".jpg', "c'd.jpg", "50% #1?.jpg", "x&<b>.jpg", COMPOSED, DECOMPOSED,
    "UPPER.JPG", "two.dots.jpg", ".hidden.jpg", "n" * 196 + ".jpg", "0001.jpg", "a;b|c.jpg",
)  # fmt: skip
CLASSES = (
    'black cat, "tom"', "<b>chien</b> & co/été", "none", "nan", "null", "true", "0",
    "spaces inside", "Cat", "cat",
)  # fmt: skip


def written(rows, delimiter=","):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return out.getvalue()


def draw(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 24)).save(path, "JPEG")


def items_of(source):
    return {item.id: item for split in ("train", "val") for item in source.items(split)}


def errors(source):
    return [p for p in source.inspect() if p.severity == Severity.ERROR]


@pytest.fixture
def root(write_folder):
    return write_folder({"other.jpg": ["cat"]}, labels_csv=None)


def read(root, *rows, header=("image", "labels")):
    (root / "labels.csv").write_text(written([header, ("other", "cat"), *rows]))
    return Folder(root)


@pytest.mark.parametrize(("delimiter", "with_extension"), [(",", True), (";", False), ("\t", True)])
@pytest.mark.parametrize("name", IMAGES)
def test_names_of_images(root, name, delimiter, with_extension):
    draw(root / "images" / name)
    entry = name if with_extension else name.rpartition(".")[0]
    rows = [("image", "labels"), ("other", "cat"), (entry, "dog")]
    (root / "labels.csv").write_text(written(rows, delimiter))
    source = Folder(root)
    item_id = unicodedata.normalize("NFC", name.rpartition(".")[0])
    item = items_of(source)[item_id]
    assert item.labels == (2,)
    assert os.fsencode(item.image) == os.fsencode(root / "images" / name)
    assert not errors(source)
    report = summarise(
        source, InspectionTable.of(inspect_item(source, one) for one in items_of(source).values())
    )
    assert not report.unusable
    assert len(os.fsencode(f"{item.file_stem}.json")) <= 255
    assert "/" not in item.file_stem


@pytest.mark.parametrize("written_as", ["NFC", "NFD"])
@pytest.mark.parametrize("saved_as", ["NFC", "NFD"])
def test_accents_match_in_either_form(root, written_as, saved_as):
    draw(root / "images" / unicodedata.normalize(saved_as, "naïve.jpg"))
    source = read(root, (unicodedata.normalize(written_as, "naïve.jpg"), "dog"))
    assert set(items_of(source)) == {"other", COMPOSED.removesuffix(".jpg")}


def test_hidden_images_that_no_row_names_are_left_out(root):
    for name in (".hidden.jpg", "._other.jpg", ".cache/x.jpg", "__MACOSX/other.jpg"):
        draw(root / "images" / name)
    assert set(items_of(source := read(root))) == {"other"}
    assert not any("has no row" in str(problem) for problem in source.inspect())


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are not UTF-8")
def test_names_that_are_not_utf8_are_left_out(root, find_problem):
    draw(root / "images" / "t.jpg")
    images = os.fsencode(root / "images")
    os.rename(images + b"/t.jpg", images + b"/caf\xe9.jpg")  # noqa: PTH104 (a path of bytes)
    source = read(root)
    assert set(items_of(source)) == {"other"}
    problem = find_problem(
        source.inspect(), Severity.WARNING, r"not UTF-8: 'caf\xe9.jpg'", "Rename"
    )
    str(problem).encode()
    find_problem(read(root, ("café.jpg", "cat")).inspect(), Severity.ERROR, "no image 'café.jpg'")


def test_links_to_files_and_folders_and_to_nothing(root, tmp_path, find_problem):
    draw(tmp_path / "elsewhere" / "in.jpg")
    images = root / "images"
    (images / "link.jpg").symlink_to(tmp_path / "elsewhere" / "in.jpg")
    (images / "folder").symlink_to(tmp_path / "elsewhere")
    (images / "dangling.jpg").symlink_to(tmp_path / "gone.jpg")
    source = read(root, ("link.jpg", "dog"), ("folder/in.jpg", "dog"), ("dangling.jpg", "dog"))
    items = items_of(source)
    assert set(items) == {"other", "link", "folder/in", "dangling"}
    report = summarise(
        source, InspectionTable.of(inspect_item(source, item) for item in items.values())
    )
    assert report.unusable == {"dangling"}
    find_problem(report.problems, Severity.SKIPPED, "dangling.jpg: no such file")


def test_a_number_is_a_name(root, find_problem):
    draw(root / "images" / "0001.jpg")
    source = read(root, ("0001", "dog"), header=("image_id", "label"))
    assert items_of(source)["0001"].labels == (2,)
    find_problem(
        read(root, ("1", "dog"), header=("image_id", "label")).inspect(),
        Severity.ERROR, "line 3: no image '1' (did you mean '0001.jpg'?)",
    )  # fmt: skip


@pytest.mark.parametrize(
    "entry", ["images/a/1.jpg", "./a/1.jpg", "a\\1.jpg", "images\\a\\1.jpg", "a//1"]
)
def test_paths_in_the_image_column(root, entry):  # fmt: skip
    draw(root / "images" / "a" / "1.jpg")
    assert set(items_of(read(root, (entry, "dog")))) == {"other", "a/1"}


def test_the_path_in_the_folder_comes_first(root):
    for name in ("1.jpg", "images/1.jpg"):
        draw(root / "images" / name)
    assert items_of(read(root, ("images/1.jpg", "dog")))["images/1"].labels == (2,)


@pytest.mark.parametrize(
    "entry", ["/elsewhere/images/a/1.jpg", "C:\\images\\a\\1.jpg", "images/../a/1.jpg"]
)
def test_paths_out_of_the_images_folder(root, find_problem, entry):  # fmt: skip
    draw(root / "images" / "a" / "1.jpg")
    source = read(root, (entry, "dog"))
    find_problem(source.inspect(), Severity.ERROR, f"'{entry}' points out of the images folder")


def pairs():
    """Ten images: each class alone or beside the next."""
    for i, name in enumerate(CLASSES):
        yield f"{i}.jpg", [name] if i % 2 else [name, CLASSES[(i + 1) % len(CLASSES)]]


FORMS = {
    "labels.csv": lambda rows: written(
        [("image", "labels"), *((n, " | ".join(f" {c} " for c in t)) for n, t in rows)]
    ),
    "long.csv": lambda rows: written(
        [("image", "label"), *((n, f" {c} ") for n, t in rows for c in t)]
    ),
    "one_hot.csv": lambda rows: written(
        [("image", *CLASSES), *((n, *(int(c in t) for c in CLASSES)) for n, t in rows)]
    ),
    "lists.csv": lambda rows: written([("image", "labels"), *((n, str(t)) for n, t in rows)]),
}


@pytest.mark.parametrize("file", FORMS)
def test_names_of_classes(write_folder, find_problem, file):
    rows = list(pairs())
    root = write_folder(dict(rows), labels_csv=None)
    (root / file).write_text(FORMS[file](rows))
    source = Folder(root, labels=file)
    assert source.class_names == tuple(sorted(CLASSES))
    tags = {
        i: {source.class_names[n - 1] for n in item.labels} for i, item in items_of(source).items()
    }
    assert tags == {name.removesuffix(".jpg"): set(labels) for name, labels in rows}
    assert not errors(source)
    find_problem(source.inspect(), Severity.WARNING, "'Cat', 'cat' count as different classes")


def test_a_class_that_is_others_joined_is_never_accepted(root):
    with pytest.raises(WsssError, match=r"'Cat & dog' is either one class .* 'cat', 'dog'"):
        read(root, ("other", "cat|dog|Cat & dog"))
