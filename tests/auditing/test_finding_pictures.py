"""Images and maps of findings, against the overlays of the report and hand-made numbers."""

from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from wsss.auditing.finding_pictures import Pictures, layer_uri
from wsss.data.sources.folder import Folder
from wsss.report.overlays import greyscale, heat_overlay


@pytest.fixture
def pets(write_folder):
    """Two images of 24 x 32 pixels, the classes cat and dog."""
    return Folder(write_folder({"a/1.png": ("cat", "dog"), "b.png": ("dog",)}, splits={
        "train": ["a/1"], "val": ["b"],
    }))  # fmt: skip


def decoded(uri):
    head, _, content = uri.partition("base64,")
    return head, np.asarray(Image.open(BytesIO(b64decode(content))))


def block_means(image):
    return image.reshape(3, 8, 4, 8, 3).mean(axis=(1, 3))


def test_a_layer_over_the_grey_image_is_the_report_s_overlay():
    rng = np.random.default_rng(0)
    heat = rng.random((12, 16)).astype(np.float32)
    heat[0] = 0
    image = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    head, layer = decoded(layer_uri(heat))
    assert head == "data:image/png;"
    alpha = layer[..., 3:] / 255
    assert not alpha[0].any()
    blended = alpha * layer[..., :3] + (1 - alpha) * 0.6 * greyscale(image)
    assert np.abs(blended - heat_overlay(image, heat)).max() <= 1.01  # Both are rounded.


def test_an_image_is_seen_with_the_map_of_a_class(pets, write_audit_folder):
    output = write_audit_folder(pets.class_names, [], {"a/1": {1: 0.25, 0: 1.0}})
    pictures = Pictures(pets, output)
    seen = pictures.seen("a/1", "dog")
    assert (seen.split, seen.tags, seen.map_of) == ("train", ("cat", "dog"), "dog")
    assert (seen.size, seen.problem, seen.box) == ((32, 24), "", None)
    _, picture = decoded(seen.picture)
    assert picture.shape == (24, 32, 3)
    truth = pets.read_image(pets.items("train")[0])
    # JPEG keeps means of blocks, if not the noise in them.
    assert np.abs(block_means(picture) - block_means(truth)).max() < 8
    assert np.ptp(block_means(truth)) > 50
    _, layer = decoded(seen.layer)
    assert layer.shape == (4, 6, 4)
    assert (layer[:, :3, 3] == round(255 * 0.85 * 0.5)).all()  # The opacity is 0.85 √0.25.
    assert not layer[:, 3:, 3].any()
    assert decoded(pictures.seen("a/1", None).layer)[1][0, 0, 3] == round(255 * 0.85)


def test_a_box_is_told_in_percent_of_the_image(pets, write_audit_folder):
    pictures = Pictures(pets, write_audit_folder(pets.class_names, []))
    evidence = {"left_px": 8, "top_px": 12, "right_px": 24, "bottom_px": 18, "images": 3}
    assert pictures.seen("b", "dog", evidence).box == (25, 50, 50, 25)


def test_what_is_missing_is_told(pets, write_audit_folder, caplog):
    output = write_audit_folder(pets.class_names, [], {"a/1": {0: 1.0}})
    (output / "evidence" / "b.npz").write_bytes(b"broken")
    pictures = Pictures(pets, output)
    assert pictures.seen("gone").problem == "The data set has no image of this name."
    assert pictures.seen("a/1", "dog").problem == "No map of dog was kept."
    damaged = pictures.seen("b", "dog")
    assert damaged.problem == "The map of this image is damaged."
    assert damaged.picture
    assert not damaged.layer
    (output / "evidence" / "b.npz").unlink()
    assert pictures.seen("b", "dog").problem == "No map of this image was kept."


def test_an_image_that_cannot_be_read_is_told(pets, write_audit_folder, caplog):
    (pets.root / "images" / "b.png").write_bytes(b"broken")
    seen = Pictures(pets, write_audit_folder(pets.class_names, [])).seen("b", "dog")
    assert seen.problem.startswith("The image cannot be read: ")
    assert not seen.picture


def test_images_with_several_tags_are_found_those_with_maps_first(write_folder, write_audit_folder):
    source = Folder(write_folder({f"{n}.png": ("cat", "dog") for n in "abc"} | {"d.png": ("cat",)}))
    output = write_audit_folder(source.class_names, [], {"b": {0: 1.0}})
    found = Pictures(source, output).with_all("cat", "dog")
    assert found[0] == "b"
    assert sorted(found) == ["a", "b", "c"]
