import json

import pytest
import torch

from wsss.files import DamagedFileError
from wsss.models import LinearHead, PairHeads, ReactivatedHead, SplitClassifier, TimmBackbone
from wsss.models.affinity_heads import AffinityHeads
from wsss.models.saved_networks import (
    DIGEST,
    load_affinity_heads,
    load_classifier,
    load_pair_heads,
    load_segmenter,
    save_affinity_heads,
    save_classifier,
    save_pair_heads,
    save_segmenter,
)
from wsss.models.segmenter import Segmenter

NAMES = ("cat", "dog", "horse")


@pytest.fixture(scope="module")
def backbone():
    return TimmBackbone("resnet18")


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("make_head", [LinearHead, ReactivatedHead])
def test_a_classifier_comes_back_with_its_head(backbone, make_head, bias, tmp_path):
    model = SplitClassifier(backbone, make_head(backbone.num_features, 3, bias)).eval()
    save_classifier(tmp_path, model, NAMES)
    found, names = load_classifier(tmp_path)
    assert names == NAMES
    assert type(found.head) is make_head
    assert not any(parameter.requires_grad for parameter in found.parameters())
    for name, value in model.state_dict().items():
        assert torch.equal(found.state_dict()[name], value)


def test_a_classifier_that_was_exported_without_the_name_of_its_head_has_a_linear_one(
    backbone, tmp_path
):
    save_classifier(tmp_path, SplitClassifier.linear(backbone, 3), NAMES)
    path = tmp_path / "classifier.json"
    description = json.loads(path.read_text())
    del description["head"]
    path.write_text(json.dumps(description))
    assert type(load_classifier(tmp_path)[0].head) is LinearHead


def test_pair_heads_come_back_with_their_pairs(tmp_path):
    heads = PairHeads(torch.tensor([0, 1, 2, 0]), torch.tensor([1, 0, 0, 2]), 3, 6)
    torch.nn.init.normal_(heads.weight)
    save_pair_heads(tmp_path, heads, NAMES)
    found = load_pair_heads(tmp_path, TimmBackbone("resnet18"))
    assert type(found) is PairHeads
    for name in ("weight", "targets", "opponents", "pairs_of_class"):
        assert torch.equal(getattr(found, name), getattr(heads, name))
    assert json.loads((tmp_path / "pair_heads.json").read_text())["opponents"] == {
        "cat": ["dog", "horse"],
        "dog": ["cat"],
        "horse": ["cat"],
    }


def test_pairs_of_a_class_are_filled_up_and_marked():
    heads = PairHeads(torch.tensor([0, 1, 2, 0]), torch.tensor([1, 0, 0, 2]), 3, 6)
    pairs, real = heads.of_classes(torch.tensor([[0, 2]]))
    assert pairs[0, 0].tolist() == [0, 3]
    assert pairs[0, 1, 0] == 2
    assert real.tolist() == [[[True, True], [True, False]]]


def small_classifier(folder):
    save_classifier(folder, SplitClassifier.linear(TimmBackbone("resnet18"), 3), NAMES)
    return lambda: load_classifier(folder)


def small_segmenter(folder):
    network = Segmenter("DeepLabV3Plus", "resnet18", None, 3, decoder_channels=16)
    save_segmenter(folder, network, NAMES)
    return lambda: load_segmenter(folder)


def small_pair_heads(folder):
    save_pair_heads(folder, PairHeads(torch.tensor([0]), torch.tensor([1]), 3, 6), NAMES)
    return lambda: load_pair_heads(folder, TimmBackbone("resnet18"))


def small_affinity_heads(folder):
    save_affinity_heads(folder, AffinityHeads(("layer1",), (8,), 4))
    return lambda: load_affinity_heads(folder)


def forget_digest(folder):
    """What was written before descriptions had digests."""
    (path,) = folder.glob("*.json")
    description = json.loads(path.read_text())
    del description[DIGEST]
    path.write_text(json.dumps(description))


def flip(path, position, bit=1):
    content = bytearray(path.read_bytes())
    content[position] ^= bit
    path.write_bytes(content)


@pytest.mark.parametrize("with_digest", [True, False])
@pytest.mark.parametrize(
    "make", [small_classifier, small_segmenter, small_pair_heads, small_affinity_heads]
)
def test_a_flipped_bit_of_weights_is_told_with_the_file(make, with_digest, tmp_path):
    load = make(tmp_path)
    if not with_digest:
        forget_digest(tmp_path)
    load()
    (path,) = tmp_path.glob("*.safetensors")
    whole = path.read_bytes()
    in_a_name = whole.index(b"weight")
    places = [0, in_a_name, *([len(whole) // 2, len(whole) - 1] if with_digest else [])]
    for place in places:
        flip(path, place)
        with pytest.raises(DamagedFileError) as caught:
            load()
        assert caught.value.path == path
        flip(path, place)
    load()


def test_whole_weights_that_do_not_fit_are_not_called_damaged(tmp_path):
    load = small_classifier(tmp_path)
    path = tmp_path / "classifier.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"class_names": ["cat"]}))
    with pytest.raises(RuntimeError, match="size mismatch"):
        load()
