"""Seeds from class names in the pipeline: random towers from a file, to masks."""

import numpy as np
import pytest
import torch
from small_clip import write_towers

from wsss.artifacts import read_json
from wsss.errors import WsssError
from wsss.models.saved_networks import load_classifier

open_clip = pytest.importorskip("open_clip", reason="the towers are open_clip's")

WORDS = ("cam=clip_text", "backbone=clip_vit_b16", "segmenter=deeplabv3plus_lite0")
TRAINED = ("classify.max_epochs", "classify.feature", "localize.scales")


@pytest.fixture(autouse=True)
def small(small_towers):
    """All of them."""


@pytest.fixture(scope="module")
def towers(tmp_path_factory):
    """Words that name both towers, which are random."""
    return write_towers(tmp_path_factory.mktemp("towers"))


@pytest.fixture
def start(run, towers, tmp_path):
    def started(*words):
        return run(tmp_path, *WORDS, *towers, *words, without=TRAINED)

    return started


@pytest.mark.slow
def test_class_names_become_seeds_and_masks(start):
    outcomes = start("stages=[classify,localize,refine]")
    folder = outcomes["classify"].folder
    seeds = sorted((outcomes["localize"].folder / "seeds").glob("*.npz"))
    masks = sorted((outcomes["refine"].folder / "masks").glob("*.png"))
    assert len(seeds) == len(masks) == 9
    largest = []
    for file in seeds:
        with np.load(file) as one:
            assert one["maps"].min() >= 0
            largest.append(one["maps"].max())
    assert {*largest} <= {0, 1}  # A map is zero where random weights speak for a class nowhere.
    assert 1 in largest
    model, names = load_classifier(folder)
    texts = read_json(folder / "texts.json")
    assert tuple(texts["classes"]) == names
    assert "house" in names  # One of the 25 published backgrounds, which it is not here.
    assert len(model.head.backgrounds) == len(texts["backgrounds"]) == 24
    assert texts["backgrounds"]["sky"] == ["a clean origami sky."]
    numbers = read_json(folder / "metrics.json")
    assert 0 < numbers["val_map"] <= 1
    assert not outcomes["classify"].manifest.is_given


@pytest.mark.slow
def test_another_word_for_a_class_is_another_classifier(start):
    first = start("stages=[classify]")["classify"]
    names = [*read_json(first.folder / "texts.json")["classes"]]
    called = f"classify.texts={{{names[0]}: [a big dog, a small dog]}}"
    second = start("stages=[classify]", called)["classify"]
    heads = [load_classifier(one.folder)[0].head.classes for one in (first, second)]
    assert (heads[0][0] - heads[1][0]).abs().max() > 1e-4
    assert torch.equal(heads[0][1:], heads[1][1:])
    assert read_json(second.folder / "texts.json")["classes"][names[0]] == [
        "a clean origami a big dog.", "a clean origami a small dog.",
    ]  # fmt: skip


LEFT_OUT = {
    "backbone=efficientnet_lite0": ("backbone.weights",),
    "classify=frozen": ("classify.model",),
}
"""Words of the towers that another part does not take."""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("backbone=efficientnet_lite0",), r"backbone\.name.*no image tower of the text tower"),
        (("backbone.weights=null",), r"weights=None: expected a file of both towers|weights.*both"),
        (("classify.model=ViT-B-16",), r"no image tower of the text tower.*768 channels"),
        (("classify.model=nothing",), r"classify\.model=nothing: open_clip has no such model"),
        (("classify.prompts=[a cat]",), r"classify\.prompts.*`\{\}` once"),
        (("classify.backgrounds=[]",), r"classify\.backgrounds.*no classes"),
        (("classify.texts={nothing: cat}",), r"classify\.texts=nothing: there is no class"),
        (("cam=recam", "classify=clip_text", "reactivate=frozen"), "one linear layer"),
        (("classify=frozen",), "whose classes are texts.*cam=clip_text"),
    ],
    ids=lambda one: one[-1] if isinstance(one, tuple) else "",
)
def test_what_cannot_be_is_refused_before_anything_runs(run, towers, tmp_path, words, said):
    own = [one for one in towers if one.partition("=")[0] not in LEFT_OUT.get(words[-1], ())]
    with pytest.raises(WsssError, match=f"(?s){said}"):
        run(tmp_path, *WORDS, *own, *words, without=TRAINED)
    assert not list(tmp_path.glob("classify/*/manifest.json"))
