"""Every activation-mapping method in the pipeline, on a classifier that all share."""

import json

import numpy as np
import pytest

from wsss.settings.config_dir import config_dir

LEARNING = {"recam", "meng"}
"""Methods with a stage of their own, which test_learning_methods.py runs."""
GRAPH = {"vscam", "vscam_channels"}
TEXTS = {"clip_text"}
"""Those that take another classifier, which test_clip_text.py runs."""
METHODS = sorted({path.stem for path in (config_dir() / "cam").glob("*.yaml")} - LEARNING - TEXTS)
TRANSFORMER = {"token_recipro_cam"}
ATTENTION = {"ad_cam", "attention_product", "transcam"}


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("methods")


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_every_method_makes_seeds_and_shares_the_classifier(run, work_dir, method):
    words = [f"cam={method}", "stages=[classify,localize]"]
    if method in ATTENTION:
        words.append("cam.attention_network.weights=null")
    if method in GRAPH:
        words += ["backbone=vig_tiny", "segmenter=deeplabv3plus_lite0"]
    if method in TRANSFORMER:
        words += ["backbone=deit_small", "backbone.weights=null"]
        words.append("segmenter=deeplabv3plus_lite0")
    outcomes = run(work_dir, *words)
    files = list((outcomes["localize"].folder / "seeds").glob("*.npz"))
    assert len(files) == 9
    largest = 0.0
    for file in files:
        with np.load(file) as seeds:
            maps = seeds["maps"]
        assert np.isfinite(maps).all()
        assert maps.min() >= 0
        assert maps.max() <= 1
        largest = max(largest, maps.max())
    assert largest > 0.5  # A map is divided by its maximum, unless it is zero.
    # One of a CNN for all methods that explain one, one of a vision GNN, one of a transformer.
    assert len(list(work_dir.glob("classify/*/manifest.json"))) <= 3


@pytest.mark.slow
def test_names_of_fused_methods_are_their_settings_in_the_fingerprint(run, work_dir):
    spelled = "{_target_:wsss.cams.cam.CAM},{_target_:wsss.cams.gradcam.LayerCAM,layers:null}"
    first, again = (
        run(work_dir, "cam=fused", f"cam.methods=[{methods}]", "stages=[classify,localize]")
        for methods in ("cam,layercam", spelled)
    )
    assert again["localize"].folder == first["localize"].folder
    other = run(work_dir, "cam=fused", "stages=[classify,localize]")
    assert other["localize"].folder != first["localize"].folder


@pytest.mark.slow
def test_two_networks_side_by_side_are_a_backbone_of_the_whole_run(run, tmp_path):
    words = ("backbone=efficientnet_lite0_lite2", "segmenter=deeplabv3plus_lite0")
    outcomes = run(tmp_path, *words)
    description = json.loads((outcomes["classify"].folder / "classifier.json").read_text())
    assert description["backbone"]["name"] == "tf_efficientnet_lite0+tf_efficientnet_lite2"
    metrics = json.loads((outcomes["evaluate"].folder / "metrics.json").read_text())
    assert {"pseudo_masks", "segmenter"} <= {*metrics["subjects"]}
