import pytest
import torch

from wsss.errors import WsssError
from wsss.explain.class_choice import ClassChoice, parse_classes

NAMES = ("tabby, tabby cat", "Egyptian cat", "sofa", "7", "crane, bird", "crane, machine")
PROBABILITIES = torch.tensor([0.1, 0.6, 0.05, 0.9, 0.02, 0.03])


@pytest.mark.parametrize(
    ("text", "named", "top"),
    [
        ("tabby", (0,), 0),
        ("Tabby Cat,egyptian cat", (0, 1), 0),
        ("tabby, tabby cat", (0,), 0),
        ("2,0,2", (2, 0), 0),
        ("7", (3,), 0),
        ("3", (3,), 0),
        ("top3", (), 3),
        ("sofa,TOP2", (2,), 2),
        ("crane", (4,), 0),
        ("crane, machine", (5,), 0),
    ],
)
def test_classes_by_name_synonym_index_and_rank(text, named, top):
    assert parse_classes(text.split(","), NAMES) == ClassChoice(named, top)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("egyptian cats", "`egyptian cat`"),
        ("6", "class index 6.*0…5"),
        ("top", "no class `top`"),
        ("-1", "no class `-1`"),
        ("", "no class. Expected names"),
        (" , ", "no class. Expected names"),
        ("top0", "top0. Expected top1"),
        ("sofa,top5000", "top5000. Expected top1…top100"),
    ],
)
def test_classes_there_are_not(text, words):
    with pytest.raises(WsssError, match=words):
        parse_classes(text.split(","), NAMES)


def test_predicted_is_the_most_probable_class_of_one_label():
    assert ClassChoice().choose(PROBABILITIES, multi_label=False) == (3,)


def test_predicted_is_all_that_is_probable_of_several_labels_and_one_at_least():
    assert ClassChoice().choose(PROBABILITIES, multi_label=True) == (3, 1)
    assert ClassChoice().choose(PROBABILITIES / 2, multi_label=True) == (3,)
    assert ClassChoice().choose(torch.tensor([0.5, 0.49]), multi_label=True) == (0,)


def test_named_classes_come_first_and_none_comes_twice():
    assert ClassChoice((2, 1), 2).choose(PROBABILITIES, multi_label=False) == (2, 1, 3)
    assert ClassChoice(top=9).choose(PROBABILITIES[:2], multi_label=False) == (1, 0)


def test_predicted_is_the_word_for_what_is_predicted():
    for multi_label in (False, True):
        chosen = parse_classes(["predicted"], NAMES).choose(PROBABILITIES, multi_label)
        assert chosen == ClassChoice().choose(PROBABILITIES, multi_label)


@pytest.mark.parametrize(
    ("text", "chosen"),
    [("predicted,top3", (3, 1, 0)), ("top1,predicted", (3, 1)), ("sofa,Predicted", (2, 3, 1))],
)
def test_predicted_goes_with_other_words(text, chosen):
    choice = parse_classes(text.split(","), NAMES)
    assert choice.choose(PROBABILITIES, multi_label=True) == chosen


def test_synonyms_are_offered_once():
    with pytest.raises(WsssError, match=r"Expected `tabby` or `tabby cat`\. "):
        parse_classes(["taby"], NAMES)
