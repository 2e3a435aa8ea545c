import numpy as np
import pytest
from audit_benchmark.cases import CASES, found_keys, planted_keys
from audit_benchmark.confident_learning import OutOfFold, read_out_of_fold, suspects
from audit_benchmark.scoring import false_alarms, over_seeds, precision_at_planted, scores

from wsss.data.sources.synthetic import Faults, Synthetic
from wsss.data.sources.synthetic.faults import FAULTS


def finding(image, label=None, other=None, split="train", flagged=True):
    return {"image": image, "label": label, "other": other, "split": split, "flagged": flagged}


def test_every_fault_has_a_case():
    assert tuple(CASES) == FAULTS


def test_precision_is_taken_at_the_number_of_planted_faults():
    planted = ["a", "b", "c", "d"]
    assert precision_at_planted(["a", "b", "x", "c", "d"], planted) == 3 / 4
    assert precision_at_planted(["d", "c", "b", "a", "x"], planted) == 1
    assert precision_at_planted(["x", "a"], planted) == 1 / 4  # A short list misses the rest.
    assert precision_at_planted([], planted) == 0


def test_flagged_findings_are_scored_for_themselves():
    findings = [
        finding("i1", "cat"), finding("i2", "cat"), finding("i3", "dog", flagged=False),
    ]  # fmt: skip
    planted = [("i1", "cat"), ("i2", "dog"), ("i3", "dog")]
    assert scores("wrong_tag", {"findings": findings}, planted) == {
        "planted": 3, "precision": 2 / 3, "flagged": 2, "recall": 1 / 3, "flagged_precision": 0.5,
    }  # fmt: skip


def test_a_class_has_a_rank():
    findings = [finding(None, name, split=None) for name in ("boat", "cactus", "fish")]
    found = scores("background_evidence", {"findings": findings}, ["cactus"])
    assert (found["precision"], found["rank"]) == (0, 2)
    assert scores("background_evidence", {"findings": findings}, ["boat"])["rank"] == 1
    assert scores("background_evidence", {"findings": findings}, ["lamp"])["rank"] == 4


def test_findings_are_counted_once():
    pair = [finding("a", other="b"), finding("b", other="a"), finding("a", other="c")]
    assert found_keys("near_duplicate", pair) == [frozenset("ab"), frozenset("ac")]
    repeated = [finding("a", "cat"), finding("a", "cat"), finding("a", "dog", split="val")]
    assert found_keys("missing_tag", repeated) == [("a", "cat"), ("a", "dog")]
    assert found_keys("fixed_position", repeated) == [("a", "cat")]


def test_what_should_be_found_is_what_was_planted_but_for_what_does_no_harm():
    faults = Faults(wrong_tags=0.1, corner_stamp=1.0, context_bias=0.9, duplicates=0.2)

    def keys(kind):
        alone = {kind: getattr(faults, kind)}
        source = Synthetic(num_train=80, num_val=24, size_px=64, faults=Faults(**alone))
        return source, planted_keys(source)

    source, found = keys("duplicates")
    pairs = {frozenset((one.image, one.other)): one for one in source.planted()}
    assert len(pairs) == 16
    harmless = pairs.keys() - set(found)
    assert len(harmless) == 4
    for pair in harmless:
        assert all(image.startswith("train") for image in pair)
        assert pairs[pair].label is None
    source, found = keys("corner_stamp")
    guitar = source.class_names.index("guitar") + 1
    bearers = [item.id for item in source.items("train") if guitar in item.labels]
    assert sorted(found) == [(image, "guitar") for image in bearers]
    assert keys("context_bias")[1] == ["cactus"]
    source, found = keys("wrong_tags")
    names = dict(enumerate(source.class_names, start=1))
    for image, label in found:
        item = next(item for item in source.items("train") if item.id == image)
        assert label in [names[one] for one in item.labels]


def test_false_alarms_are_the_flagged_findings_of_every_check():
    quiet = {"findings": [finding("a", flagged=False)]}
    loud = {"findings": [finding("a"), finding("b"), finding("c", flagged=False)]}
    assert false_alarms({"wrong_tag": quiet, "near_duplicate": loud}) == {
        "wrong_tag": 0, "near_duplicate": 2,
    }  # fmt: skip


def test_seeds_are_summed_up_as_numpy_does():
    runs = [{"a": 0.5}, {"a": 0.9, "b": 1.0}, {"a": 0.7}]
    found = over_seeds(runs)
    assert found["a"] == pytest.approx((0.7, np.std([0.5, 0.9, 0.7], ddof=1)))
    assert found["b"] == (1.0, 0.0)


@pytest.fixture
def planted_probabilities(tmp_path):
    """Probabilities near the truth, one tag wrong and one missing, as an audit keeps them."""
    rng = np.random.default_rng(0)
    truth = rng.random((120, 4)) < 0.3
    near = np.where(truth, 0.9, 0.1) + rng.uniform(-0.08, 0.08, truth.shape)
    tags = truth.copy()
    wrong, missing = (tuple(np.argwhere(one)[7].tolist()) for one in (~truth, truth))
    tags[wrong], tags[missing] = True, False
    np.savez(
        tmp_path / "out_of_fold.npz",
        ids=np.array([f"image{row}" for row in range(len(truth))]),
        class_names=np.array(["a", "b", "c", "d"]),
        tags=tags,
        probabilities=near.astype(np.float32),
        best_cells=1 - near.astype(np.float32),
    )
    names = [(f"image{row}", "abcd"[column]) for row, column in (wrong, missing)]
    return tmp_path / "out_of_fold.npz", names, tags


def test_confident_learning_begins_with_what_is_wrong(planted_probabilities):
    pytest.importorskip("cleanlab", reason="cleanlab is no dependency")
    path, (wrong, missing), tags = planted_probabilities
    found = read_out_of_fold(path)
    assert suspects(found, tagged=True)[0] == wrong
    assert suspects(found, tagged=False)[0] == missing
    assert len(suspects(found, tagged=True)) == tags.sum()
    assert len(suspects(found, tagged=False)) == (~tags).sum()
    none = OutOfFold(found.ids, found.class_names, np.zeros_like(tags), found.probabilities)
    assert suspects(none, tagged=False) == []


def test_out_of_fold_probabilities_are_read_without_running_anything(planted_probabilities):
    path, _, tags = planted_probabilities
    found = read_out_of_fold(path)
    assert found.ids[3] == "image3"
    assert found.class_names == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(found.tags, tags)
    best = read_out_of_fold(path, "best_cells")
    np.testing.assert_allclose(best.probabilities, 1 - found.probabilities)
    np.savez(path, ids=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        read_out_of_fold(path)
