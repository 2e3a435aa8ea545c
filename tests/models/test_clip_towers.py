"""Heads of texts beside open_clip's own scores, with the same random weights."""

import json
from copy import deepcopy

import pytest
import timm
import torch
from small_clip import CONFIG

from wsss.errors import WsssError
from wsss.models import SplitClassifier, VitBackbone
from wsss.models.clip_towers import (
    check_open_clip,
    check_same_tower,
    load_towers,
    text_embeddings,
    text_head,
    tower_config,
    tower_file,
)
from wsss.models.hub_files import RepositoryFile
from wsss.models.saved_networks import load_classifier, save_classifier

open_clip = pytest.importorskip("open_clip", reason="the towers are open_clip's")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
IMAGE = "vit_base_patch16_clip_quickgelu_224"
TEXTS = [["a photo of a cat.", "a drawing of a cat."], ["a photo of a dog."], ["people, human"]]
BACKGROUNDS = [["grass"], ["the sky", "clouds"]]
EXACT = {"rtol": 0, "atol": 1e-5}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    create = timm.create_model

    def created(name, **options):
        return create(name, **{"embed_dim": 32, "depth": 2, "num_heads": 2, **options})

    monkeypatch.setattr(timm, "create_model", created)


def lively(towers, seed=0):
    """Weights that let every part count."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, one in towers.named_parameters():
            if name != "logit_scale":
                middle = 1.0 if one.ndim == 1 and name.endswith("weight") else 0.0
                one.copy_(middle + 0.2 * torch.randn(one.shape, generator=generator))
    return towers.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def reference():
    torch.manual_seed(0)
    return lively(open_clip.CLIP(**deepcopy(CONFIG)))


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "open_clip_config.json"
    path.write_text(json.dumps({"model_cfg": CONFIG}))
    return str(path)


@pytest.fixture
def weights(reference, tmp_path):
    path = tmp_path / "towers.pt"
    torch.save({"state_dict": reference.state_dict()}, path)
    return str(path)


def seen(side=224):
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1))


def by_hand(reference, texts):
    tokenize = open_clip.SimpleTokenizer(context_length=20)
    rows = []
    for several in texts:
        total = 0
        for one in several:
            vector = reference.encode_text(tokenize([one]))[0]
            total = total + vector / vector.square().sum().sqrt()
        rows.append(total / total.square().sum().sqrt())
    return torch.stack(rows)


def test_scores_are_those_of_open_clip(reference, model, weights):
    """Its image is the mean of the patches, which is a way of pooling that it has itself."""
    backbone = VitBackbone(IMAGE, weights).eval()
    towers = load_towers(model, None, weights)
    singles = [[several[0]] for several in (*TEXTS, *BACKGROUNDS)]
    head = text_head(towers, singles[:3], singles[3:])
    average = deepcopy(reference)
    average.visual.pool_type = "avg"
    tokens = open_clip.SimpleTokenizer(context_length=20)([one for (one,) in singles])
    with torch.no_grad():
        scores = head.similarities(backbone(seen()))
        image, text, scale = average(backbone.normalise(seen()), tokens)
        expected = scale * image @ text.T
    torch.testing.assert_close(scores / scale, expected / scale, **EXACT)
    torch.testing.assert_close(scores, expected, rtol=1e-5, atol=2e-5)
    assert scores.std() > 0.5
    # And to the order of float32 of what the two towers say each by itself.
    with torch.no_grad():
        image = average.encode_image(backbone.normalise(seen()), normalize=True)
        text = average.encode_text(tokens, normalize=True)
    torch.testing.assert_close(scores, reference.logit_scale.exp() * image @ text.T, **EXACT)


def test_embeddings_are_averaged_over_prompts(reference, model, weights):
    towers = load_towers(model, None, weights)
    torch.testing.assert_close(text_embeddings(towers, TEXTS), by_hand(reference, TEXTS), **EXACT)
    alone = text_embeddings(towers, [[one] for one in TEXTS[0]])
    assert (alone[0] - alone[1]).abs().max() > 0.01


@pytest.mark.parametrize("form", ["towers.safetensors", "parallel.pt"])
def test_files_of_open_clip_load(reference, model, form, tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / form
    if form.endswith(".safetensors"):
        save_file({key: one.contiguous() for key, one in reference.state_dict().items()}, path)
    else:
        torch.save({f"module.{key}": one for key, one in reference.state_dict().items()}, path)
    found = load_towers(model, None, str(path))
    assert all(torch.equal(one, found.state_dict()[key]) for key, one in
               reference.state_dict().items())  # fmt: skip


def test_a_saved_classifier_of_texts_needs_no_open_clip(model, weights, tmp_path, monkeypatch):
    backbone = VitBackbone(IMAGE, weights).eval()
    head = text_head(load_towers(model, None, weights), TEXTS, BACKGROUNDS)
    own = SplitClassifier(backbone, head).eval()
    save_classifier(tmp_path, own, ("cat", "dog", "person"))
    monkeypatch.setitem(__import__("sys").modules, "open_clip", None)
    found, names = load_classifier(tmp_path)
    assert names == ("cat", "dog", "person")
    with torch.no_grad():
        torch.testing.assert_close(found(seen(64)), own(seen(64)), rtol=0, atol=0)


def test_the_text_tower_of_another_training_is_refused(reference, model, weights, tmp_path):
    backbone = VitBackbone(IMAGE, weights).eval()
    check_same_tower(load_towers(model, None, weights), backbone, weights)
    half = tmp_path / "half.pt"
    torch.save({key: one.half().float() for key, one in reference.state_dict().items()}, half)
    check_same_tower(load_towers(model, None, str(half)), backbone, str(half))
    other = tmp_path / "other.pt"
    torch.save(lively(deepcopy(reference), seed=1).state_dict(), other)
    with pytest.raises(WsssError, match=r"other\.pt: their image tower is not that of the backb"):
        check_same_tower(load_towers(model, None, str(other)), backbone, str(other))
    exact = VitBackbone("vit_base_patch16_clip_224", weights).eval()  # The other activation.
    with pytest.raises(WsssError, match="quick GELU"):
        check_same_tower(load_towers(model, None, weights), exact, weights)


def test_weights_of_another_network_are_refused(reference, model, tmp_path):
    path = tmp_path / "other.pt"
    for content, said in (
        (reference.visual.state_dict(), "Missing key"),
        ({"weight": torch.zeros(1)}, "Missing key"),
    ):
        torch.save(content, path)
        with pytest.raises(WsssError, match=rf"cannot be read as weights of.*{said}.*both towers"):
            load_towers(model, None, str(path))
    path.write_bytes(b"no weights")
    with pytest.raises(WsssError, match="cannot be read as weights of"):
        load_towers(model, None, str(path))
    with pytest.raises(WsssError, match="no such weight file"):
        load_towers(model, None, str(tmp_path / "missing.pt"))
    with pytest.raises(WsssError, match="expected a file of both towers"):
        load_towers(model, None, None)


def test_an_archive_that_runs_code_is_refused(model, tmp_path):
    path = tmp_path / "archive.pt"
    torch.jit.script(torch.nn.Linear(2, 2)).save(path)
    with pytest.raises(WsssError, match="archives that run code"):
        load_towers(model, None, str(path))


def test_unknown_models_and_towers_of_another_kind_are_refused(tmp_path):
    with pytest.raises(WsssError, match=r"no such model.*ViT-B-16-quickgelu"):
        tower_config("ViT-B-16-quickgel")
    for name in ("ViT-B-16-SigLIP", "RN50", "coca_ViT-B-32", "xlm-roberta-base-ViT-B-32"):
        with pytest.raises(WsssError, match="towers of another kind"):
            tower_config(name)
    with pytest.raises(WsssError, match="it cannot be read"):
        tower_config(str(tmp_path / "missing.json"))
    assert tower_config("ViT-B-16-quickgelu")["vision_cfg"]["width"] == 768


def test_weights_of_the_hub_are_open_clips_file_beside_timms():
    found = tower_file("ViT-B-16-quickgelu", "openai", "hub")
    assert isinstance(found, RepositoryFile)
    assert found.repository == "timm/vit_base_patch16_clip_224.openai"
    assert found.names[0] == "open_clip_model.safetensors"
    with pytest.raises(WsssError, match=r"the hub has no such weights.*openai"):
        tower_file("ViT-B-16-quickgelu", "opena", "hub")


def test_a_missing_package_is_told_with_what_installs_it(monkeypatch):
    monkeypatch.setattr("wsss.models.clip_towers.find_spec", lambda _: None)
    with pytest.raises(
        WsssError, match=r"`open_clip` is not installed.*pip install 'wsss\[clip\]'"
    ):
        check_open_clip()
    with pytest.raises(WsssError, match="not installed"):
        load_towers("ViT-B-16-quickgelu", "openai", "hub")
