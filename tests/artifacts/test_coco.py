import json

import numpy as np
import pytest
from pycocotools.coco import COCO

from wsss.artifacts.coco import coco_annotations, coco_document, coco_image

NAMES = ("cat", "dog", "猫")
LABELS = np.array(
    [
        [0, 1, 1, 0, 255],
        [0, 0, 0, 1, 255],
        [3, 0, 0, 0, 255],
        [3, 3, 0, 0, 1],
    ],
    dtype=np.uint8,
)


def test_an_annotation_is_what_the_format_asks_for():
    first, second = coco_annotations(LABELS, len(NAMES), image_id=7, first_id=40)
    assert (first["id"], first["image_id"], first["category_id"]) == (40, 7, 1)
    assert (first["area"], first["bbox"], first["iscrowd"]) == (4, [1.0, 0.0, 4.0, 4.0], 0)
    assert first["segmentation"]["size"] == [4, 5]
    assert (second["id"], second["category_id"]) == (41, 3)
    assert (second["area"], second["bbox"]) == (3, [0.0, 2.0, 2.0, 2.0])


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools'
def test_pycocotools_gives_masks_back_exactly(tmp_path):
    rng = np.random.default_rng(0)
    coarse = rng.choice([0, 1, 2, 3, 255], (9, 11)).astype(np.uint8)
    masks = {1: LABELS, 2: coarse.repeat(3, 0).repeat(2, 1), 3: np.zeros((3, 4), np.uint8)}
    images, annotations = [], []
    for image_id, mask in masks.items():
        images.append(coco_image(image_id, f"{image_id}.jpg", mask.shape))
        first = len(annotations) + 1
        annotations += coco_annotations(mask, len(NAMES), image_id, first)
    file = tmp_path / "masks.json"
    file.write_text(json.dumps(coco_document(NAMES, images, annotations, "drawn")), "utf-8")

    read = COCO(str(file))
    assert [one["name"] for one in read.loadCats(read.getCatIds())] == list(NAMES)
    assert sorted(read.getAnnIds()) == list(range(1, len(annotations) + 1))
    for image_id, mask in masks.items():
        found = np.zeros_like(mask)
        for one in read.loadAnns(read.getAnnIds(image_id)):
            region = read.annToMask(one).astype(bool)
            assert not found[region].any()
            found[region] = one["category_id"]
        np.testing.assert_array_equal(found, np.where(mask == 255, 0, mask))
