import pickle

import numpy as np
import pytest
from devkits import write_voc12
from devkits.voc12 import EXTRA as EXTRA_12
from devkits.voc12 import NOT_ANNOTATED
from devkits.voc12 import TRAIN as TRAIN_12
from devkits.voc12 import VAL as VAL_12
from PIL import Image

from wsss.data.sources.voc import CLASS_NAMES, Voc
from wsss.errors import Severity, WsssError

ERROR, WARNING = Severity.ERROR, Severity.WARNING

ANNOTATION = """<annotation><filename>x.jpg</filename>{}</annotation>"""
OBJECT = (
    "<object><name>{}</name><difficult>{}</difficult>"
    "<part><name>head</name><bndbox/></part></object>"
)
OBJECTS = {
    "2007_000001": (("dog", 0), ("dog", 0)),
    "2007_000002": (("cat", 1), ("person", 0)),
    "2007_000003": (("tvmonitor", 0),),
    "2008_000004": (("aeroplane", 0),),
}
TRAIN, EXTRA, VAL = ["2007_000001", "2007_000002"], ["2008_000004"], ["2007_000003"]


@pytest.fixture
def write_devkit(tmp_path):
    """Build a devkit of four images in VOCdevkit/VOC<year>, and return the folder around it."""

    def write(year="2012", lists=None, aug_masks=False):
        root = tmp_path / "data"
        devkit = root / "VOCdevkit" / f"VOC{year}"
        for folder in ("JPEGImages", "Annotations", "ImageSets/Segmentation", "SegmentationClass"):
            (devkit / folder).mkdir(parents=True)
        for image_id, objects in OBJECTS.items():
            Image.new("RGB", (32, 24)).save(devkit / "JPEGImages" / f"{image_id}.jpg")
            xml = "".join(OBJECT.format(name, difficult) for name, difficult in objects)
            (devkit / "Annotations" / f"{image_id}.xml").write_text(ANNOTATION.format(xml))
        for image_id in TRAIN + VAL:
            write_mask(devkit / "SegmentationClass" / f"{image_id}.png", 1)
        if aug_masks:
            (devkit / "SegmentationClassAug").mkdir()
            for image_id in TRAIN + EXTRA:
                write_mask(devkit / "SegmentationClassAug" / f"{image_id}.png", 2)
        for name, lines in (lists or {"train": TRAIN, "val": VAL}).items():
            path = devkit / "ImageSets/Segmentation" / f"{name}.txt"
            path.write_text("\n".join(lines) + "\n")
        return root

    return write


def write_mask(path, label):
    mask = np.full((24, 32), 255, dtype=np.uint8)
    mask[4:20] = label
    Image.fromarray(mask).save(path)


def ids(source, split):
    return [item.id for item in source.items(split)]


@pytest.mark.parametrize("inside", ["", "VOCdevkit", "VOCdevkit/VOC2012"])
def test_root_may_be_any_of_three_folders(write_devkit, inside):
    source = Voc(write_devkit() / inside, train="train")
    assert source.name == "voc12"
    assert ids(source, "train") == TRAIN
    assert ids(source, "val") == VAL
    assert pickle.loads(pickle.dumps(source)).items("train") == source.items("train")


def test_tags_are_all_objects_difficult_ones_included(write_devkit):
    source = Voc(write_devkit(), train="train")
    tags = [{CLASS_NAMES[label - 1] for label in item.labels} for item in source.items("train")]
    assert tags == [{"dog"}, {"cat", "person"}]
    assert source.items("val")[0].labels == (20,)
    assert len(source.class_names) == 20


def test_classes_are_in_alphabetical_order():
    assert list(CLASS_NAMES) == sorted(CLASS_NAMES)


@pytest.mark.parametrize("name", ["train_aug", "trainaug"])
@pytest.mark.parametrize("line", ["{}", "/JPEGImages/{0}.jpg /SegmentationClassAug/{0}.png"])
def test_train_aug_lists(write_devkit, name, line):
    lines = [line.format(image_id) for image_id in TRAIN + EXTRA]
    source = Voc(write_devkit(lists={name: lines, "train": TRAIN, "val": VAL}, aug_masks=True))
    assert ids(source, "train") == TRAIN + EXTRA
    assert [item.mask.parent.name for item in source.items("train")] == ["SegmentationClassAug"] * 3
    assert source.items("val")[0].mask.parent.name == "SegmentationClass"
    assert not [problem for problem in source.inspect() if "1,464" in problem.came]


def test_train_aug_falls_back_to_train(write_devkit, find_problem):
    source = Voc(write_devkit())
    assert ids(source, "train") == TRAIN
    find_problem(
        source.inspect(), WARNING,
        "ImageSets/Segmentation/train_aug.txt: no such list", "1,464", "10,582",
        "Put SegmentationClassAug/ beside", "benchmark.tgz",
    )  # fmt: skip


def test_train_aug_is_derived_from_its_masks_names(tmp_path):
    devkit = write_voc12(tmp_path)
    (devkit / "SegmentationClassAug" / "2010_000007.png").write_bytes(b"not looked into")
    source = Voc(tmp_path)
    assert ids(source, "train") == sorted(TRAIN_12 + EXTRA_12)
    assert ids(source, "val") == VAL_12
    assert not [problem for problem in source.inspect() if "no such list" in problem.came]
    assert source.described == (
        "`train_aug`: the 7 images of SegmentationClassAug/ that are not in `val`"
    )


def test_train_aug_is_derived_without_val_whatever_is_validated_with(tmp_path):
    """Images of `val` are no training images, even where the user validates with others."""
    lists = {"train": TRAIN_12, "val": VAL_12, "mine": VAL_12[:1]}
    write_voc12(tmp_path, lists)
    source = Voc(tmp_path, val="mine")
    assert ids(source, "val") == VAL_12[:1]
    assert ids(source, "train") == sorted(TRAIN_12 + EXTRA_12)


def test_a_list_counts_before_the_names_of_masks(tmp_path):
    write_voc12(tmp_path, {"train": TRAIN_12, "val": VAL_12, "train_aug": EXTRA_12})
    source = Voc(tmp_path)
    assert ids(source, "train") == EXTRA_12
    assert source.described == ""


def test_an_image_whose_annotation_is_missing(tmp_path, find_problem):
    write_voc12(tmp_path, {"train": [*TRAIN_12, NOT_ANNOTATED], "val": VAL_12})
    source = Voc(tmp_path, train="train")
    find_problem(source.inspect(), ERROR, f"{NOT_ANNOTATED}.xml: no such annotation")
    assert source.items("train")[-1].labels == ()


def test_difficult_objects_and_void_borders_of_the_devkit(tmp_path):
    write_voc12(tmp_path)
    source = Voc(tmp_path)
    items = {item.id: item for split in ("train", "val") for item in source.items(split)}
    names = {CLASS_NAMES[label - 1] for label in items["2007_000002"].labels}
    assert names == {"cat", "person"}
    assert set(source.read_mask(items["2007_000002"]).ravel()) == {0, 8, 15}


def test_images_and_masks_are_read(write_devkit):
    source = Voc(write_devkit(), train="train")
    item = source.items("val")[0]
    assert source.read_image(item).shape == (24, 32, 3)
    assert set(source.read_mask(item).ravel()) == {1, 255}


def test_extras_without_masks(write_devkit, find_problem):
    source = Voc(write_devkit(lists={"train_aug": TRAIN + EXTRA, "val": VAL}))
    assert source.read_mask(source.items("train")[2]) is None
    find_problem(source.inspect(), WARNING, "1 of 3 train images has no mask: '2008_000004'")


def test_2007(write_devkit):
    root = write_devkit("2007", {"trainval": TRAIN, "test": VAL})
    source = Voc(root, year="2007", train="trainval", val="test")
    assert source.name == "voc07"
    assert ids(source, "val") == VAL


def test_fingerprint_sees_annotations(write_devkit):
    root = write_devkit()
    before = Voc(root, train="train").fingerprint("train")
    assert Voc(root / "VOCdevkit", train="train").fingerprint("train") == before
    path = root / "VOCdevkit/VOC2012/Annotations/2007_000001.xml"
    path.write_text(path.read_text().replace("dog", "cat"))
    assert Voc(root, train="train").fingerprint("train") != before


def test_missing_devkit(tmp_path):
    with pytest.raises(WsssError) as caught:
        Voc(tmp_path / "nowhere")
    message = str(caught.value)
    assert "nowhere: no VOC 2012 here; looked for " in message
    assert "nowhere/VOCdevkit/VOC2012" in message
    assert "VOCtrainval_11-May-2012.tar of host.robots.ox.ac.uk" in message
    assert "pass download=True" in message


@pytest.mark.parametrize(
    ("year", "train"), [("2012", "trian"), ("2007", "train_aug")], ids=["typo", "no aug in 2007"]
)
def test_missing_list(write_devkit, year, train):
    root = write_devkit(year)
    with pytest.raises(
        WsssError, match=rf"^train={train}: no such list in .*; there are 'train', 'val' \(did"
    ):
        Voc(root, year=year, train=train)


def test_missing_image(write_devkit, find_problem):
    source = Voc(write_devkit(lists={"train": [*TRAIN, "2007_999999"], "val": VAL}), train="train")
    find_problem(source.inspect(), ERROR, "2007_999999.jpg: no such image", "Extract JPEGImages/")
    assert ids(source, "train") == TRAIN


def test_missing_and_broken_annotations(write_devkit, find_problem):
    root = write_devkit()
    annotations = root / "VOCdevkit/VOC2012/Annotations"
    (annotations / "2007_000001.xml").unlink()
    (annotations / "2007_000002.xml").write_text("<annotation>")
    problems = Voc(root, train="train").inspect()
    find_problem(problems, ERROR, "2007_000001.xml: no such annotation", "tags come from it")
    find_problem(problems, ERROR, "2007_000002.xml: unreadable annotation", "Extract Annotations/")


def test_objects_of_other_classes(write_devkit, find_problem):
    root = write_devkit()
    path = root / "VOCdevkit/VOC2012/Annotations/2007_000002.xml"
    path.write_text(path.read_text().replace("<name>cat<", "<name>zebra<"))
    source = Voc(root, train="train")
    find_problem(source.inspect(), WARNING, "2007_000002.xml: objects of other classes: 'zebra'")
    assert source.items("train")[1].labels == (15,)


@pytest.fixture
def downloads(monkeypatch):
    """Calls of torchvision's downloader, which does nothing here."""
    calls = []

    def download(root, year, image_set, download):
        calls.append((root, year, image_set, download))

    monkeypatch.setattr("torchvision.datasets.VOCSegmentation", download)
    return calls


def test_download_fetches_each_archive_once(tmp_path, downloads):
    with pytest.raises(WsssError, match="no VOC 2012"):
        Voc(tmp_path, download=True)
    assert downloads == [(tmp_path, "2012", "trainval", True)]


def test_download_of_2007_has_two_archives(tmp_path, downloads):
    with pytest.raises(WsssError, match="no VOC 2007"):
        Voc(tmp_path, year="2007", train="trainval", val="test", download=True)
    assert [image_set for _, _, image_set, _ in downloads] == ["trainval", "test"]


def test_nothing_is_downloaded_twice(write_devkit, downloads):
    assert ids(Voc(write_devkit(), download=True), "train") == TRAIN
    assert downloads == []


@pytest.mark.parametrize("error", [OSError("no route to host"), RuntimeError("corrupted")])
def test_failed_download(tmp_path, monkeypatch, error):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("torchvision.datasets.VOCSegmentation", fail)
    with pytest.raises(
        WsssError, match=rf"download of VOC 2012 failed \({error}\).*name the folder"
    ):
        Voc(tmp_path, download=True)
