"""Exported networks, run by other programs."""

import json
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from wsss.exporting.deployed import DeployedClassifier
from wsss.exporting.network_files import checked, export_network
from wsss.exporting.output_folder import RECORD
from wsss.exporting.programs import traced
from wsss.models import SplitClassifier, TimmBackbone
from wsss.models.saved_networks import load_classifier, load_segmenter

SHAPES = [(1, 3, 33, 47), (3, 3, 64, 50), (2, 3, 17, 96)]


def images(shape):
    return np.random.default_rng(shape[2]).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.slow  # Makes the folder.
def test_onnx_is_valid_and_describes_itself(everything):
    model = onnx.load(everything / "segmenter.onnx")
    onnx.checker.check_model(model, full_check=True)
    (taken,) = model.graph.input
    shape = [one.dim_param or one.dim_value for one in taken.type.tensor_type.shape.dim]
    assert shape == ["batch", 3, "height", "width"]
    assert [one.name for one in model.graph.output] == ["logits", "probabilities", "labels"]
    (names,) = [one.value for one in model.metadata_props if one.key == "class_names"]
    assert json.loads(names) == ["background", "cat", "dog"]


@pytest.mark.parametrize("shape", SHAPES)
def test_onnx_runtime_agrees_with_the_network(everything, finished, shape):
    segmenter, _ = load_segmenter(finished.stage("segment"))
    session = onnxruntime.InferenceSession(everything / "segmenter.onnx")
    logits, probabilities, labels = session.run(None, {"images": images(shape)})
    expected = segmenter(torch.from_numpy(images(shape)).float() / 255).numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-4 * np.abs(expected).max())
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(
        probabilities, exponents / exponents.sum(axis=1, keepdims=True), atol=1e-5
    )
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, logits.argmax(axis=1))
    assert len(np.unique(labels)) > 1


def test_the_classifier_in_onnx_runtime_gives_probabilities_and_maps(everything, finished):
    classifier, _ = load_classifier(finished.stage("classify"))
    session = onnxruntime.InferenceSession(everything / "classifier.onnx")
    batch = images((2, 3, 64, 48))  # Whole cells: nothing is padded.
    logits, probabilities, maps = session.run(None, {"images": batch})
    inputs = torch.from_numpy(batch).float() / 255
    np.testing.assert_allclose(logits, classifier(inputs).numpy(), atol=1e-5)
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(-logits)), atol=1e-6)
    features = classifier.features(inputs).numpy()
    expected = np.einsum("ck,bkhw->bchw", classifier.head.weight.numpy(), features).clip(min=0)
    np.testing.assert_allclose(maps, expected, atol=1e-5)
    assert maps.shape == (2, 2, 4, 3)


@pytest.mark.slow
def test_a_program_needs_torch_alone(everything, finished, tmp_path):
    for shape in SHAPES:
        np.save(tmp_path / f"{shape[2]}.npy", images(shape))
    code = """
import sys
sys.modules["wsss"] = sys.modules["timm"] = sys.modules["segmentation_models_pytorch"] = None
import numpy as np, torch
program = torch.export.load(sys.argv[1]).module()
for side in (33, 64, 17):
    logits, _, labels = program(torch.from_numpy(np.load(f"{side}.npy")))
    np.savez(f"{side}.npz", logits=logits.detach().numpy(), labels=labels.numpy())
"""
    command = [sys.executable, "-c", code, str(everything / "segmenter.pt2")]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    segmenter, _ = load_segmenter(finished.stage("segment"))
    for shape in SHAPES:
        expected = segmenter(torch.from_numpy(images(shape)).float() / 255)
        found = np.load(tmp_path / f"{shape[2]}.npz")
        torch.testing.assert_close(torch.from_numpy(found["logits"]), expected)
        np.testing.assert_array_equal(found["labels"], expected.argmax(dim=1))


@pytest.mark.parametrize("stride", [8, 32])
def test_networks_of_other_strides_become_programs(stride):
    torch.manual_seed(0)
    classifier = SplitClassifier.linear(TimmBackbone("test_efficientnet", None, stride), 2).eval()
    deployed = DeployedClassifier(classifier)
    program = traced(deployed).module()
    for shape in ((1, 3, deployed.min_side_px, 40), (2, 3, 64, 70)):
        batch = torch.from_numpy(images(shape))
        height, width = (-side % stride for side in shape[2:])
        seen = F.pad(batch.float() / 255, (0, width, 0, height), mode="replicate")
        torch.testing.assert_close(program(batch)[0], classifier(seen))
    with pytest.raises(AssertionError, match="Guard failed"):
        program(torch.zeros(1, 3, deployed.min_side_px - 1, 64, dtype=torch.uint8))


@pytest.mark.minutes
def test_the_same_weights_give_the_same_bytes(everything, finished, tmp_path):
    export_network(
        "segmenter", finished.stage("segment"), tmp_path, ("onnx", "torch_export"), lambda _: None
    )
    for name in ("segmenter.onnx", "segmenter.pt2"):
        assert (tmp_path / name).read_bytes() == (everything / name).read_bytes()


def test_a_file_that_does_not_agree_is_an_error_and_removed(everything, tmp_path):
    path = tmp_path / "segmenter.onnx"
    path.write_bytes((everything / "segmenter.onnx").read_bytes())
    with pytest.raises(Exception, match=r"segmenter\.onnx: other results than the network"):
        checked(path, lambda batch: torch.zeros(1, 3, *batch.shape[-2:]), one_label=True)
    assert not path.exists()


def test_wsss_loads_the_folder(everything, tmp_path):
    import wsss

    Image.fromarray(images((1, 40, 50, 3))[0]).save(tmp_path / "a.png")
    found = wsss.load(everything).predict(tmp_path / "a.png")
    assert found.names == ("background", "cat", "dog")
    assert found.labels.shape == (40, 50)


def test_the_record_has_sizes_and_digests(everything):
    record = json.loads((everything / RECORD).read_text())
    assert record["finished"] is True
    assert record["checks"]["segmenter.onnx"]["equal"] >= 0.999
    assert record["checks"]["segmenter.onnx"]["min_side_px"] == 17
    for name, file in record["files"].items():
        assert file["bytes"] == (everything / name).stat().st_size


def test_the_file_and_the_network_label_pictures_alike(
    everything, finished, tmp_path, monkeypatch, capsys
):
    import benchmark_export

    for side in (40, 49):
        picture = np.random.default_rng(side).integers(0, 256, (side, 64, 3), dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / f"{side}.png")
    words = [finished.stage("segment"), everything, tmp_path, "--count", 2]
    monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, words)])
    benchmark_export.main()
    found = json.loads(capsys.readouterr().out)
    assert found["images"] == 2
    assert found["equal_labels"]["onnx"] > 0.999
    assert found["equal_labels"]["predict_resized"] > 0.99
    assert found["equal_labels"]["predict"] < 1  # Neither side of 49 px is a multiple of 16.
