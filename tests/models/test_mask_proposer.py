"""Regions of Segment Anything, beside the authors' own generator with the same random weights."""

import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from small_sam import small_sam

from wsss.errors import WsssError
from wsss.models import mask_proposer
from wsss.models.mask_proposer import MaskProposer

segment_anything = pytest.importorskip("segment_anything", reason="the model is its")

ALL = {"min_predicted_iou": 0.0, "min_stability": 0.0, "max_box_iou": 0.9, "points_per_side": 4}
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(segment_anything.sam_model_registry, "vit_b", small_sam)


@pytest.fixture
def network():
    torch.manual_seed(3)
    return small_sam()


@pytest.fixture
def weights(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "sam.pth")
    return str(tmp_path / "sam.pth")


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)


@pytest.fixture
def proposer(weights):
    one = MaskProposer("vit_b", weights, **ALL)
    one.load(CPU)
    return one


def test_the_regions_are_those_of_the_authors_generator(proposer, network, image):
    generator = segment_anything.SamAutomaticMaskGenerator(
        network, points_per_side=4, pred_iou_thresh=0, stability_score_thresh=0, box_nms_thresh=0.9
    )
    expected = sorted(generator.generate(image), key=lambda one: -one["area"])
    found = proposer(image)
    assert len(expected) > 1
    assert found.masks.shape == (len(expected), 40, 56)
    for index, one in enumerate(expected):
        np.testing.assert_array_equal(found.masks[index], one["segmentation"])
        assert found.predicted_iou[index] == np.float16(one["predicted_iou"])
        assert found.stability[index] == np.float16(one["stability_score"])


def test_regions_of_which_the_model_is_not_sure_are_left_out(weights, image):
    strict = MaskProposer("vit_b", weights, **{**ALL, "min_predicted_iou": 1.0})
    strict.load(CPU)
    found = strict(image)
    assert found.masks.shape == (0, 40, 56)
    assert found.predicted_iou.shape == (0,)


def test_copies_for_threads_share_the_weights(proposer):
    from wsss.stage_tools.forward_passes import share_tensors

    copied = share_tensors(proposer)
    assert copied.generator.predictor is not proposer.generator.predictor
    own = [*copied.generator.predictor.model.parameters()]
    theirs = [*proposer.network.parameters()]
    assert all(one.data_ptr() == other.data_ptr() for one, other in zip(own, theirs, strict=True))


def test_half_precision_of_the_run_changes_nothing(proposer, image):
    expected = proposer(image)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        np.testing.assert_array_equal(proposer(image).masks, expected.masks)


def test_mobile_sam_is_taken_from_its_own_package(monkeypatch, weights, image):
    package = ModuleType("mobile_sam")
    package.sam_model_registry = {"vit_t": small_sam}
    package.SamAutomaticMaskGenerator = segment_anything.SamAutomaticMaskGenerator
    monkeypatch.setitem(sys.modules, "mobile_sam", package)
    monkeypatch.setattr(mask_proposer, "find_spec", lambda name: name == "mobile_sam")
    one = MaskProposer("vit_t", weights, **ALL)
    one.load(CPU)
    assert len(one(image).masks)


@pytest.mark.parametrize(
    ("model", "remedy"), [("vit_b", r"wsss\[sam\]"), ("vit_t", "ChaoningZhang/MobileSAM")]
)
def test_a_package_that_is_missing_is_told_with_the_command_that_installs_it(
    model, remedy, weights, monkeypatch
):
    monkeypatch.setattr(mask_proposer, "find_spec", lambda _name: None)
    with pytest.raises(WsssError, match=remedy):
        MaskProposer(model, weights).check()


def test_wrong_files_models_and_numbers_are_refused(weights, tmp_path):
    with pytest.raises(WsssError, match="no such weight file"):
        MaskProposer("vit_b", str(tmp_path / "none.pth")).check()
    for nothing in (None, "hub", "package"):
        with pytest.raises(WsssError, match=r"Download it from their repository"):
            MaskProposer("vit_b", nothing)
    with pytest.raises(WsssError, match="vit_x"):
        MaskProposer("vit_x", weights)
    with pytest.raises(WsssError, match="min_stability"):
        MaskProposer("vit_b", weights, min_stability=95)
    torch.save({"layer.weight": torch.zeros(2)}, weights)
    with pytest.raises(WsssError, match="not those of vit_b"):
        MaskProposer("vit_b", weights).load(CPU)
