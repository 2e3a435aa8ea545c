"""`wsss.load`: segmenters and classifiers from the folders of finished stages."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import wsss
from wsss.errors import WsssError
from wsss.models import Segmenter, SplitClassifier, TimmBackbone
from wsss.models.saved_networks import save_classifier, save_segmenter

NAMES = ("cat", "dog")


@pytest.fixture(scope="module")
def classifier():
    torch.manual_seed(0)
    return SplitClassifier.linear(TimmBackbone("tf_efficientnet_lite0"), 2)


@pytest.fixture(scope="module")
def segmenter():
    torch.manual_seed(0)
    return Segmenter("DeepLabV3Plus", "tf_efficientnet_lite0", None, 2, decoder_channels=16).eval()


@pytest.fixture(scope="module")
def runs(tmp_path_factory, classifier, segmenter):
    """The results of one run, as far as networks go."""
    folder = tmp_path_factory.mktemp("runs")
    save_classifier(folder / "classify" / "a1", classifier, NAMES)
    save_segmenter(folder / "segment" / "b2", segmenter, NAMES)
    return folder


def picture(height, width):
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_segmenter_labels_every_pixel(runs, segmenter, tmp_path):
    loaded, image = wsss.load(str(runs / "segment" / "b2")), picture(64, 96)
    found = loaded.predict(image)
    with torch.no_grad():
        images = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
        expected = segmenter(images)[0].softmax(dim=0).numpy()
    np.testing.assert_allclose(found.probabilities, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(found.labels, found.probabilities.argmax(axis=0))
    assert found.labels.dtype == np.uint8
    assert found.names == ("background", "cat", "dog") == loaded.names
    assert found.overlay().size == (96, 64)
    assert found._repr_png_().startswith(b"\x89PNG")
    Image.fromarray(image).save(tmp_path / "a.png")
    again = loaded.predict(tmp_path / "a.png")
    np.testing.assert_array_equal(again.labels, found.labels)


def test_scales_and_mirror_images_are_averaged(runs, segmenter):
    loaded, image = wsss.load(runs), picture(64, 96)
    found = loaded.predict(image, scales=(1, 0.5), flip=True)
    small = np.array(Image.fromarray(image).resize((48, 32), Image.Resampling.BOX))
    total = np.zeros_like(found.probabilities)
    with torch.no_grad():
        for seen in (image, image[:, ::-1], small, small[:, ::-1]):
            inputs = torch.from_numpy(seen.copy()).permute(2, 0, 1)[None] / 255
            logits = segmenter(inputs)
            logits = logits.flip(-1) if seen.strides[1] < 0 else logits
            sized = torch.nn.functional.interpolate(logits, (64, 96), mode="bilinear")
            total += sized[0].softmax(dim=0).numpy() / 4
    np.testing.assert_allclose(found.probabilities, total, atol=2e-3)
    assert not np.allclose(found.probabilities, loaded.predict(image).probabilities, atol=2e-3)
    with pytest.raises(WsssError, match="factors"):
        loaded.predict(image, scales=())


def test_results_have_the_size_of_the_image(runs):
    found = wsss.load(runs / "segment" / "b2").predict(picture(37, 51))
    assert found.labels.shape == (37, 51)
    assert found.probabilities.shape == (3, 37, 51)
    np.testing.assert_allclose(found.probabilities.sum(axis=0), 1, rtol=1e-5)


def test_a_classifier_has_a_probability_for_every_tag(runs, classifier):
    loaded, image = wsss.load(runs / "classify" / "a1"), picture(64, 96)
    found = loaded.predict(image)
    with torch.no_grad():
        images = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
        expected = classifier.eval()(images)[0].sigmoid().tolist()
    assert found == pytest.approx(dict(zip(NAMES, expected, strict=True)), rel=1e-4)
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_what_was_loaded_is_explained_under_its_names(runs):
    loaded = wsss.load(runs / "classify")
    found = wsss.cam(loaded, picture(64, 64), "dog", method="cam")
    assert found.classes == (1,)
    assert found.names == ("dog",)
    assert found.probabilities[0] == pytest.approx(loaded.predict(picture(64, 64))["dog"], rel=1e-4)
    with pytest.raises(WsssError, match=r"no class `dogg`. Expected `dog`"):
        wsss.cam(loaded, picture(64, 64), "dogg")
    for other in (wsss.load(runs), wsss.load(runs).network):
        with pytest.raises(WsssError, match=r"model: a .*Segmenter. Expected a classifier"):
            wsss.cam(other, picture(64, 64))


def test_the_only_network_in_a_folder_is_found(runs):
    assert wsss.load(runs).folder == runs / "segment" / "b2"
    assert wsss.load(runs / "segment").folder == runs / "segment" / "b2"
    assert wsss.load(runs / "classify").folder == runs / "classify" / "a1"


def test_of_several_networks_one_must_be_chosen(tmp_path, classifier):
    for name in ("a1", "b2"):
        save_classifier(tmp_path / "classify" / name, classifier, NAMES)
    with pytest.raises(WsssError, match=r"(?s)2 finished stages.*Choose one:.*a1\n.*b2"):
        wsss.load(tmp_path)


@pytest.mark.parametrize("kind", ["segmenter", "classifier"])
def test_damaged_weights_are_told_with_the_file(runs, tmp_path, kind):
    (source,) = runs.glob(f"*/*/{kind}.safetensors")
    shutil.copytree(source.parent, tmp_path, dirs_exist_ok=True)
    path = tmp_path / source.name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(WsssError, match=rf"{kind}\.safetensors: the file is damaged"):
        wsss.load(tmp_path)


def test_a_folder_without_a_network_is_refused(tmp_path):
    with pytest.raises(WsssError, match="no segmenter and no classifier here"):
        wsss.load(tmp_path)
    with pytest.raises(WsssError, match=r"folder: a NoneType.*the path of a folder"):
        wsss.load(None)
    with pytest.raises(WsssError, match="no such folder"):
        wsss.load(tmp_path / "none")


@pytest.mark.parametrize("name", ["segment", "classify"])
def test_floats_that_are_no_colours_are_refused(runs, name):
    with pytest.raises(WsssError, match="like normalised colours"):
        wsss.load(runs / name).predict(torch.randn(3, 32, 32))
