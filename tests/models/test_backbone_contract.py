"""What every backbone of `configs/backbone/` promises, with random weights."""

import pytest
import timm
import torch
from every_backbone import NAMES, WORDS, make_shallow, words
from hydra.utils import instantiate
from omegaconf import OmegaConf

from wsss.models import Backbone, SplitClassifier
from wsss.models.saved_networks import load_classifier, save_classifier
from wsss.settings.compose import compose
from wsss.settings.config_dir import config_dir


@pytest.fixture
def shallow(monkeypatch):
    make_shallow(monkeypatch)


@pytest.fixture(params=WORDS)
def backbone(request, shallow):
    torch.manual_seed(0)
    cfg = compose("run", words(request.param))
    return instantiate(cfg.backbone)(freeze="none")


def images(backbone, rows=3, columns=2, count=2):
    px = 32 * max(1, backbone.output_stride // 32)
    side = -(-px // backbone.output_stride) * backbone.output_stride
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 3, rows * side, columns * side, generator=generator)


def test_a_map_has_a_cell_for_each_stride(backbone):
    assert isinstance(backbone, Backbone)
    seen = images(backbone)
    with torch.no_grad():
        features = backbone.eval()(seen)
    height, width = (side // backbone.output_stride for side in seen.shape[2:])
    assert features.shape == (2, backbone.num_features, height, width)
    assert features.isfinite().all()
    assert features.std() > 0


def test_images_of_a_batch_are_seen_alone_and_twice_the_same(backbone):
    backbone.double()  # Neighbours in a graph hang on the last digits.
    seen = images(backbone).double()
    with torch.no_grad():
        features = backbone.eval()(seen)
        again = backbone(seen)
        alone = torch.cat([backbone(one[None]) for one in seen])
    assert torch.equal(features, again)
    scale = features.abs().amax()
    torch.testing.assert_close(alone / scale, features / scale, rtol=0, atol=1e-9)
    assert (features[0] - features[1]).abs().amax() > 1e-6 * scale


def test_what_is_frozen_stays_and_the_rest_learns(backbone):
    backbone.freeze = "stem"
    backbone.freeze_parameters()
    frozen = {name for name, one in backbone.network.named_parameters() if not one.requires_grad}
    parts = {name for name, _ in backbone.network.named_parameters()}
    assert frozen
    assert len(frozen) < len(parts) / 2
    backbone.train()(images(backbone)).square().mean().backward()
    for name, one in backbone.network.named_parameters():
        assert (one.grad is None) == (name in frozen), name
    backbone.freeze = "backbone"
    backbone.freeze_parameters()
    assert not any(one.requires_grad for one in backbone.parameters())


def test_a_saved_classifier_comes_back(backbone, tmp_path):
    model = SplitClassifier.linear(backbone, 2).eval()
    save_classifier(tmp_path, model, ("cat", "dog"))
    loaded, _ = load_classifier(tmp_path)
    seen = images(backbone, 2, 2, 1)
    with torch.no_grad():
        assert torch.equal(loaded(seen), model(seen))


def test_images_are_seen_at_multiples_of_the_stride(backbone, request):
    word = request.node.callspec.params["backbone"]
    cfg = compose("run", words(word))
    for scales in (cfg.localize.scales, cfg.classify.feature_scales):
        assert scales.multiple_px == backbone.output_stride == cfg.backbone.output_stride


@pytest.mark.parametrize("word", WORDS)
def test_a_word_says_where_its_network_comes_from(word):
    head = (config_dir() / "backbone" / f"{word}.yaml").read_text(encoding="utf-8")
    assert head.startswith("# ")
    cfg = OmegaConf.load(config_dir() / "backbone" / f"{word}.yaml")
    published = word not in NAMES and cfg._target_.endswith(("VitBackbone", "TimmBackbone"))
    if published and cfg.weights == "hub":
        name = cfg.name.partition("+")[0]
        assert timm.models.get_pretrained_cfg(name).hf_hub_id
