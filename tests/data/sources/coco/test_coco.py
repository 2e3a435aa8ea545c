import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from devkits import CATEGORIES, box, write_coco14

from wsss.data.sources.coco import Coco, instance_index
from wsss.data.sources.coco.rendering import class_mask
from wsss.errors import Severity, WsssError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools'

ERROR, WARNING = Severity.ERROR, Severity.WARNING
TRAIN_JSON, VAL_JSON = (f"annotations/instances_{split}2014.json" for split in ("train", "val"))


@pytest.fixture
def root(tmp_path):
    return write_coco14(tmp_path / "coco")


@pytest.fixture
def edit(root):
    """Change the content of a file of instances by a function."""

    def edited(change, name=TRAIN_JSON):
        content = json.loads((root / name).read_text())
        change(content)
        (root / name).write_text(json.dumps(content))
        return root

    return edited


def tags(source, split="train"):
    return {
        int(item.id[-2:]): {source.class_names[label - 1] for label in item.labels}
        for item in source.items(split)
    }


def test_tags_are_the_categories_of_all_instances_crowds_included(root):
    source = Coco(root)
    assert source.name == "coco14"
    assert tags(source) == {
        1: {"dog"},
        2: {"cup", "person"},
        3: {"person"},
        5: {"cat", "dog"},
        6: {"toothbrush"},
        7: {"bottle"},
        8: {"cat", "dog"},
        9: {"bottle", "person"},
    }
    assert tags(source, "val") == {1: {"dog"}, 2: {"cup", "person"}, 3: {"cat"}}
    assert source.items("train")[0].id == "COCO_train2014_000000000001"


def test_ids_with_gaps_become_the_mask_values_1_to_80(root):
    source = Coco(root)
    assert source.class_names == tuple(CATEGORIES.values())
    assert len(source.class_names) == 80
    assert source.class_names[-1] == "toothbrush"  # COCO's id 90
    assert source.items("train")[4].labels == (80,)


def test_images_without_objects_take_part_if_they_are_to(root):
    source = Coco(root, without_objects=True)
    assert tags(source)[4] == set()
    assert len(source.items("val")) == 4
    empty = source.items("train")[3]
    assert not source.read_mask(empty).any()
    assert source.read_mask(empty).shape == (64, 80)


def test_the_last_image_may_be_one_without_objects_also_from_a_kept_index(root, tmp_path):
    source = Coco(root, without_objects=True)
    source.keep_index(tmp_path / "index")
    last = source.items("val")[3]
    assert last.labels == ()
    mask = source.read_mask(last)
    assert mask.shape == (64, 80)
    assert not mask.any()


@pytest.mark.parametrize("folder", ["{}", "images/{}"])
def test_images_are_in_either_folder_and_grey_ones_become_rgb(tmp_path, folder):
    source = Coco(write_coco14(tmp_path, folder))
    grey = source.items("train")[4]
    assert grey.image.parent == tmp_path / folder.format("train2014")
    image = source.read_image(grey)
    assert image.shape == (64, 80, 3)
    assert (image == image[..., :1]).all()


@pytest.mark.parametrize("split", ["train", "val"])
def test_masks_are_those_of_pycocotools(root, split):
    """Pixel by pixel, from COCO's own reader: the smallest instance, else void of a crowd."""
    from pycocotools.coco import COCO

    reference = COCO(root / f"annotations/instances_{split}2014.json")
    source = Coco(root, without_objects=True)
    label_of = {category: label for label, category in enumerate(sorted(reference.cats), 1)}
    items = source.items(split)
    assert [item.id for item in items] == [
        Path(one["file_name"]).stem for one in reference.loadImgs(reference.getImgIds())
    ]
    seen = set()
    for item, image in zip(items, reference.getImgIds(), strict=True):
        annotations = reference.loadAnns(reference.getAnnIds(image))
        expected = np.zeros(source.read_image(item).shape[:2], dtype=int)
        regions = [reference.annToMask(one) for one in annotations]
        for row, column in np.ndindex(expected.shape):
            here = [one for one, r in zip(annotations, regions, strict=True) if r[row, column]]
            single = [one for one in here if not one["iscrowd"]]
            if single:
                smallest = min(single, key=lambda one: one["area"])
                expected[row, column] = label_of[smallest["category_id"]]
            elif here:
                expected[row, column] = 255
        np.testing.assert_array_equal(source.read_mask(item), expected)
        seen |= {*np.unique(expected).tolist()}
    assert {0, 255} < seen


def test_areas_of_boxes_before_and_behind_others(root):
    """By hand: the sizes of boxes in whole pixels."""
    source = Coco(root)

    def areas(number):
        mask = source.read_mask(source.items("train")[number])
        return dict(
            zip(*(one.tolist() for one in np.unique(mask, return_counts=True)), strict=True)
        )

    person, cup = 42 * 70, 12 * 14
    assert areas(1) == {0: 80 * 60 - person, 1: person - cup, 42: cup}
    crowd, one = 32 * 70, 15 * 40
    both = 15 * 20
    assert areas(2) == {0: 64 * 80 - crowd - one + both, 1: one, 255: crowd - both}
    assert areas(3)[16] in (1, 2, 3)  # tiny, but there


@pytest.mark.parametrize("has_area", [True, False])
def test_of_equal_instances_the_first_is_seen(has_area):
    cat = {"category_id": 17, "segmentation": [box(0, 0, 4, 4)]}
    dog = {"category_id": 18, "segmentation": [box(2, 0, 6, 4)]}
    dot = {"category_id": 1, "segmentation": [box(3, 3, 4, 4)]}
    for one in (cat, dog, dot) if has_area else ():
        one["area"] = 1.0 if one is dot else 16.0
    labels = {17: 1, 18: 2, 1: 3}
    for first, second in ((cat, dog), (dog, cat)):
        mask = class_mask([first, second, dot], labels, (4, 6))
        shared = [[labels[first["category_id"]]] * 2] * 4
        shared[3] = [shared[3][0], 3]
        assert mask[:, 2:4].tolist() == shared
        assert (mask[:, :2] == 1).all()
        assert (mask[:, 4:] == 2).all()


def test_pickled_and_read_by_another_process(root):
    source = Coco(root)
    reader = pickle.loads(pickle.dumps(source.reader))
    assert not reader.items("train")
    for item in source.items("train"):
        np.testing.assert_array_equal(reader.read_mask(item), source.read_mask(item))
    again = pickle.loads(pickle.dumps(source))
    assert again.items("train") == source.items("train")


def test_the_instances_are_read_once(root, tmp_path, later, monkeypatch):
    first = Coco(root)
    first.keep_index(tmp_path / "index")

    def refuse(path):
        raise AssertionError(f"{path} was read again")

    with monkeypatch.context() as patch:
        patch.setattr(instance_index, "read_instances", refuse)
        second = Coco(root)
        second.keep_index(tmp_path / "index")
        assert second.class_names == first.class_names
        reader = pickle.loads(pickle.dumps(second.reader))
        plain = Coco(root)
        with pytest.raises(AssertionError, match="read again"):
            plain.items("train")
    for split in ("train", "val"):
        assert second.items(split) == first.items(split) == plain.items(split)
        assert second.fingerprint(split) == plain.fingerprint(split)
        assert second.mask_fingerprint(split) == plain.mask_fingerprint(split)
        for item in plain.items(split):
            np.testing.assert_array_equal(reader.read_mask(item), plain.read_mask(item))


def test_what_is_kept_is_shared_with_processes_not_sent(root, tmp_path, later):
    sizes = []
    for folder in (None, tmp_path / "index"):
        source = Coco(root)
        if folder:
            source.keep_index(folder)
        text = source._content.texts["train"]
        sizes.append(len(pickle.dumps(text)) / source.items("train")[-1].place[2])
    assert sizes[0] > 1
    assert sizes[1] < 0.5


def test_a_changed_file_is_read_again_and_a_damaged_index_too(root, edit, tmp_path, later):
    def numbers(source):
        source.keep_index(tmp_path / "index")
        return source.fingerprint("train"), source.mask_fingerprint("train")

    first = numbers(Coco(root))
    for kept in (tmp_path / "index").glob("*.safetensors"):
        kept.write_bytes(kept.read_bytes()[:100])
    assert numbers(Coco(root)) == first

    def other_outline(content):
        content["annotations"][-1]["segmentation"] = [[1, 1, 9, 1, 9, 9]]

    tags_alone, masks = numbers(Coco(edit(other_outline)))
    assert tags_alone == first[0]
    assert masks != first[1]

    def other_tag(content):
        content["annotations"][-1]["category_id"] = 18 + 1

    assert numbers(Coco(edit(other_tag)))[0] != first[0]


def test_a_file_written_a_moment_ago_is_not_kept(root, tmp_path):
    Coco(root).keep_index(tmp_path / "index")
    assert not [*(tmp_path / "index").glob("*.safetensors")]


def test_images_are_listed_without_a_look_at_each(root, monkeypatch):
    source = Coco(root)
    looked_at = []
    stat = os.stat

    def noted(path, *args, **options):
        looked_at.append(os.fspath(path))
        return stat(path, *args, **options)

    monkeypatch.setattr(os, "stat", noted)
    items = Coco(root, without_objects=True).items("train")
    assert len(items) == len(source.items("train")) + 1
    assert not [path for path in looked_at if str(path).endswith(".jpg")]


@pytest.mark.parametrize(
    ("without", "words"),
    [
        ([TRAIN_JSON], [f"there is no {TRAIN_JSON}", "annotations_trainval2014.zip"]),
        (["val2014"], ["there is no val2014/", "images.cocodataset.org/zips/val2014.zip (6 GB)"]),
        (
            [VAL_JSON, "train2014"],
            [f"no train2014/ and no {VAL_JSON}", "zips/train2014.zip (13 GB)", "Fetch and extract"],
        ),
    ],
)
def test_missing_parts_and_where_they_are_had(tmp_path, without, words):
    with pytest.raises(WsssError) as caught:
        Coco(write_coco14(tmp_path / "coco", without=without))
    message = str(caught.value)
    assert [word for word in words if word not in message] == []


def test_missing_folder(tmp_path):
    (tmp_path / "coco").mkdir()
    with pytest.raises(WsssError, match=r"no such folder \(did you mean 'coco'\?\)"):
        Coco(tmp_path / "cocoo")


def test_missing_images_are_told_and_left_out(root, find_problem):
    (root / "train2014/COCO_train2014_000000000001.jpg").unlink()
    source = Coco(root)
    assert 1 not in tags(source)
    find_problem(
        source.inspect(), ERROR,
        "train2014: 1 image is not there: 'COCO_train2014_000000000001.jpg'",
        "Extract images.cocodataset.org/zips/train2014.zip (13 GB) again",
    )  # fmt: skip


def test_other_problems_of_the_lists(root, find_problem):
    problems = Coco(root, without_objects=True).inspect()
    find_problem(problems, WARNING, "2 images have no labels")
    find_problem(problems, WARNING, "74 classes have no image in train")
    assert len(problems) == 2


def set_first(key, **values):
    return lambda content: content[key][0].update(values)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_first("annotations", image_id=77), "an annotation of the image 77, which is not"),
        (set_first("annotations", category_id=12), "an annotation of the category 12, which is"),
        (lambda content: content["annotations"][0].pop("image_id"), "an entry without 'image_id'"),
        (lambda content: content["images"][0].pop("height"), "an entry without 'height'"),
        (lambda content: content["images"].append(content["images"][0]), "with the same id"),
        (set_first("images", id=99), "an annotation of the image 1, which is not listed"),
        (set_first("images", id="one"), "an entry of another kind"),
        (lambda c: c["images"][0].update(file_name=c["images"][1]["file_name"]), "the name of an"),
        (lambda content: content.pop("categories"), "no list of `categories`"),
        (lambda content: content["categories"].append({"id": 1, "name": "x"}), "the id 1"),
        (set_first("categories", name="someone"), "other categories than those of"),
        (lambda content: content.update(categories=3), "no list of `categories`"),
    ],
)
def test_files_that_do_not_fit_together(edit, change, words):
    with pytest.raises(WsssError) as caught:
        Coco(edit(change)).items("train")
    assert words in str(caught.value)
    assert "instances_" in caught.value.problems[0].where


@pytest.mark.parametrize("cut", [0, 1, 200, -1])
def test_a_file_that_is_cut_off(root, cut):
    path = root / TRAIN_JSON
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(WsssError, match=r"no instances of COCO .*Extract the archive"):
        Coco(root).items("train")


@pytest.mark.parametrize(
    ("segmentation", "words"),
    [
        ([[1, 2]], "no polygons and no run lengths"),
        ({"size": [64, 81], "counts": [64 * 81]}, "run lengths of the size [64, 81] in an image"),
        ({"size": [64, 80], "counts": [64]}, "runs of 64 pixels in all"),
        ({"size": [64, 80], "counts": "not run lengths"}, "no polygons and no run lengths"),
        ("dog", "no polygons and no run lengths"),
    ],
)  # fmt: skip
def test_segmentations_that_are_none(edit, segmentation, words):
    source = Coco(edit(lambda c: c["annotations"][-1].update(segmentation=segmentation)))
    with pytest.raises(WsssError, match="COCO_train2014_000000000001: a segmentation") as caught:
        source.read_mask(source.items("train")[0])
    assert words in str(caught.value)


def test_no_ground_truth_where_an_instance_has_no_segmentation(edit):
    source = Coco(edit(lambda content: content["annotations"][-1].pop("segmentation")))
    assert source.read_mask(source.items("train")[0]) is None
    assert source.read_mask(source.items("train")[1]) is not None


def test_an_image_of_another_size_than_is_listed(edit):
    source = Coco(edit(set_first("images", height=65)))
    with pytest.raises(WsssError, match="a mask of 80 × 65 px for an image of 80 × 64 px"):
        source.read_mask(source.items("train")[0])
