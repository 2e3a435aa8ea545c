"""Masks and seeds, read by the libraries and code that they are for."""

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools.coco import COCO
from torchvision.datasets import VOCSegmentation

from wsss.artifacts import LabelStore, SeedStore
from wsss.data.images import read_rgb
from wsss.data.source import TRAIN
from wsss.data.sources.folder import Folder


def test_torchvision_reads_the_devkit(masks_and_seeds, finished):
    source = Folder(finished.data)
    masks = LabelStore(finished.stage("refine") / "masks")
    read = VOCSegmentation(masks_and_seeds / "voc", year="2012", image_set="train")
    items = source.items(TRAIN)
    assert len(read) == len(items) == 3
    for item, (image, mask) in zip(items, read, strict=True):
        np.testing.assert_array_equal(mask, masks.read(item))
        difference = np.abs(np.asarray(image).astype(int) - source.read_image(item))
        assert difference.mean() < (3 if item.image.suffix == ".png" else 1e-9)


def test_an_image_that_a_camera_turned_is_written_upright(tmp_path):
    from wsss.exporting.pseudo_masks import export_devkit

    (tmp_path / "images").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = np.zeros((16, 24, 3), dtype=np.uint8)
    picture[:8] = 200
    Image.fromarray(picture).save(tmp_path / "images" / "a.jpg", exif=exif)
    (tmp_path / "labels.csv").write_text("image,labels\na.jpg,cat\n")
    source = Folder(tmp_path)
    item = next(one for split in ("train", "val") for one in source.items(split))
    masks = LabelStore(tmp_path / "made")
    masks.write(item, np.zeros((24, 16), dtype=np.uint8))
    export_devkit(tmp_path / "voc", source, [item], masks, visible=False)
    written = tmp_path / "voc" / "VOCdevkit" / "VOC2012" / "JPEGImages" / "a.jpg"
    with Image.open(written) as opened:
        found = np.asarray(opened.convert("RGB")).astype(int)
    assert found.shape == (24, 16, 3)
    assert np.abs(found - read_rgb(item.image)).mean() < 3


def test_the_label_map_has_vocs_colours(masks_and_seeds):
    text = (masks_and_seeds / "voc" / "VOCdevkit" / "VOC2012" / "labelmap.txt").read_text()
    assert text.splitlines()[1:] == [
        "background:0,0,0::", "cat:128,0,0::", "dog:0,128,0::", "void:224,224,192::",
    ]  # fmt: skip


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools'
def test_pycocotools_gives_the_masks_back(masks_and_seeds, finished):
    source = Folder(finished.data)
    masks = LabelStore(finished.stage("refine") / "masks")
    read = COCO(str(masks_and_seeds / "coco" / "pseudo_masks.json"))
    images = {one["file_name"]: one for one in read.loadImgs(read.getImgIds())}
    assert set(images) == {"red/a.jpg", "b.png", "c.jpg"}
    for item in source.items(TRAIN):
        entry = images[f"{item.id}{item.image.suffix}"]
        found = np.zeros((entry["height"], entry["width"]), dtype=np.uint8)
        for one in read.loadAnns(read.getAnnIds(entry["id"])):
            found[read.annToMask(one) == 1] = one["category_id"]
        expected = masks.read(item)
        np.testing.assert_array_equal(found, np.where(expected == 255, 0, expected))


def test_seeds_are_used_as_irns_code_does(masks_and_seeds, finished):
    """The lines of `cam_to_ir_label.py` and `make_sem_seg_labels.py`, without CUDA."""
    source = Folder(finished.data)
    seeds = SeedStore(finished.stage("localize") / "seeds")
    for item in source.items(TRAIN):
        path = masks_and_seeds / "irn" / f"{item.file_stem}.npy"
        cam_dict = np.load(path, allow_pickle=True).item()
        cams = np.pad(
            cam_dict["high_res"], ((1, 0), (0, 0), (0, 0)), mode="constant", constant_values=0.5
        )
        keys = np.pad(cam_dict["keys"] + 1, (1, 0), mode="constant")
        labels = keys[np.argmax(cams, axis=0)]
        own = seeds.read(item)
        assert labels.shape == own.size
        assert set(np.unique(labels)) <= {0, *item.labels}
        assert isinstance(cam_dict["cam"], torch.Tensor)  # Its `.cuda()` is called.
        np.testing.assert_array_equal(cam_dict["cam"], own.maps.astype(np.float32))
        assert cam_dict["keys"].tolist() == [label - 1 for label in item.labels]
        # Block means of a bilinear enlargement are near the cells.
        assert abs(cam_dict["high_res"].mean() - own.maps.astype(float).mean()) < 0.05
