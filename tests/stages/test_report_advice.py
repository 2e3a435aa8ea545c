import re
from dataclasses import replace

import numpy as np
import pytest

from wsss.artifacts import Manifest
from wsss.report.co_occurrence import TagPair
from wsss.report.object_sizes import SizeBin
from wsss.report.read_scores import Scores, Subject
from wsss.report.results import Results
from wsss.report.training_curves import Curve
from wsss.settings.compose import compose
from wsss.stages.report.advice import RULES_WITH_MASKS, RULES_WITHOUT_MASKS, all_advice


def subject(name: str, miou: float, **more) -> Subject:
    return Subject(name, name, "train", False, 9, miou, (), **more)


def manifest(stage: str, **numbers: float) -> Manifest:
    return Manifest(stage, f"{stage}01", {}, numbers)


NOTHING = Results("pets", ("cat", "dog"))
ILL = replace(
    NOTHING,
    manifests={
        "classify": manifest("classify", val_map=0.6),
        "refine": manifest(
            "refine", foreground_fraction=0.02, void_fraction=0.3, seed_agreement=0.4,
            images=10.0, images_restored=3.0,
        ),
        "evaluate": replace(
            manifest("evaluate", segmenter_miou=0.3), failures={"broken": "it is"}
        ),
        "oracle_bound": manifest("oracle_bound", bound_miou=0.6),
    },
    scores=Scores((
        subject("seeds_oracle", 0.6), subject("seeds", 0.5), subject("pseudo_masks", 0.45),
        subject("segmenter", 0.3),
    )),
    curves={"segment": (Curve("pseudo_miou", "epoch", ((1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4))),)},
    confusions={
        "seeds": np.array([[60, 40, 0, 0], [30, 10, 0, 0], [20, 0, 20, 0]]),
        "segmenter": np.array([[90, 5, 5, 0], [0, 60, 40, 0], [0, 0, 9, 0]]),
    },
    shares={"pseudo_masks": (0.8, 0.1, 0.1), "prediction": (0.88, 0.02, 0.1)},
    pairs=(TagPair(1, 2, 9, 0.95, 0.5, 0.2),),
    sizes={"segmenter": (SizeBin("1–4 %", 9, 0.2), SizeBin("4–16 %", 9, 0.7))},
)  # fmt: skip
FOUND = (
    "mAP on tags is 60.0 %", "give 2.0 % of the pixels to objects",
    "30.0 % of the pixels of pseudo",
    "agree in 40.0 %", "In 30.0 % of the images", "“cat” 2.0 % of the validation pixels",
    "95.0 % of the images of “cat” show “dog”", "rose by 10.0 points", "1 image could not",
    # Of 80 pixels of objects seeds find 30, and of the 70 that they call objects 30 are right.
    "Seeds cover 37.5 %", "42.9 % are right", "would gain 10.0 points",
    "are 5.0 points of mIoU worse",
    "is 15.0 points of mIoU below", "reach 20.0 % IoU", "40.0 % of the pixels of “cat”",
    "Weak labels reach 50.0 %",
)  # fmt: skip


def test_every_rule_tells_its_number():
    advice = all_advice(ILL)
    assert [len([one for one in advice if text in one.found]) for text in FOUND] == [1] * len(FOUND)
    assert len(advice) == len(FOUND)


def test_what_masks_told_is_stamped_and_nothing_else():
    for rules, oracle in ((RULES_WITHOUT_MASKS, False), (RULES_WITH_MASKS, True)):
        found = [one for rule in rules for one in rule(ILL)]
        assert len(found) >= len(rules)
        assert {one.oracle for one in found} == {oracle}


def test_a_run_without_numbers_gets_no_advice():
    assert all_advice(NOTHING) == []


def test_a_probe_is_not_advised_to_who_has_one():
    assert "refine=probe_crf" in str(all_advice(ILL))
    probed = replace(ILL, manifests={**ILL.manifests, "probe": manifest("probe")})
    assert "refine=probe_crf" not in str(all_advice(probed))


WORDS = sorted({
    word
    for results in (ILL, replace(ILL, manifests={**ILL.manifests, "probe": manifest("probe")}))
    for one in all_advice(results)
    for word in re.findall(r"`([^`\s]+)`", one.todo)
})  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_every_setting_that_is_advised_exists(word: str):
    key, sign, _ = word.partition("=")
    if not sign and "." not in key:
        key, word = "refine/threshold", f"refine/threshold={word}"  # Short for one more choice.
    cfg = compose("run", [word] if "=" in word else [])
    found = cfg
    for part in [] if "/" in key else key.split("."):
        assert part in found, key
        found = found[part]
