import json

import pytest
import torch

from wsss.models import LinearHead, PairHeads, ReactivatedHead, SplitClassifier, TimmBackbone
from wsss.models.export import (
    load_classifier,
    load_pair_heads,
    save_classifier,
    save_pair_heads,
)

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
