"""Differences with intervals, against resamples of pixels that are laid out one by one."""

import json

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from wsss.cli.tables.compared_runs import difference_table
from wsss.comparing.page import write_page
from wsss.comparing.score_differences import ECE, MIOU, compare_scores
from wsss.comparing.score_section import scores_section
from wsss.metrics.bootstrap import image_weights
from wsss.metrics.calibration import FULL, NUM_BINS

RESAMPLES = 60


def drawn_scores(predictions, truths, num_resamples=RESAMPLES):
    """Mean IoU of all pixels of the drawn images, by scikit-learn."""
    (weights,) = image_weights(len(truths), num_resamples)
    every = [np.repeat(np.arange(len(truths)), row.astype(int)) for row in weights]
    return np.array([miou(predictions[rows], truths[rows]) for rows in every])


def miou(predictions, truths):
    return jaccard_score(truths.ravel(), predictions.ravel(), average="macro")


def only(scores, measure=MIOU):
    (found,) = [one for one in scores.scores if one.measure == measure]
    return found


def test_a_difference_is_that_of_the_same_draws_of_pixels(scored_run, masks):
    truths, spoilt = masks
    first, second = spoilt(0.4), spoilt(0.35)
    runs = [scored_run(first, truths, ["a=1"]), scored_run(second, truths, ["a=2"])]
    found = only(compare_scores(runs, RESAMPLES, visible=False))
    ours, theirs = drawn_scores(first, truths), drawn_scores(second, truths)
    for score, masks_of, draws in zip(found.scores, (first, second), (ours, theirs), strict=True):
        assert score.value == pytest.approx(miou(masks_of, truths))
        assert [score.low, score.high] == pytest.approx(np.quantile(draws, [0.025, 0.975]))
        assert score.num_images == 30
    (difference,) = found.differences
    value = miou(second, truths) - miou(first, truths)
    low, high = np.quantile(theirs - ours, [0.025, 0.975])
    share = np.mean(np.sign(value) * (theirs - ours) <= 0)
    known = difference.difference
    assert [known.value, known.low, known.high] == pytest.approx([value, low, high])
    assert known.other_side == pytest.approx(share)


def test_a_pair_is_told_apart_where_single_intervals_overlap(scored_run, masks):
    """Images differ in how hard they are; a share of each is spoilt, then a bit less."""
    truths, _ = masks
    rng = np.random.default_rng(0)
    hardness = rng.random((len(truths), 1, 1))
    chance = rng.random(truths.shape)
    wrong = (truths + 1) % 4
    runs = [
        scored_run(np.where(chance < factor * hardness, wrong, truths), truths, [f"a={factor}"])
        for factor in (1.0, 0.9)
    ]
    found = only(compare_scores(runs, 500, visible=False))
    worse, better = found.scores
    assert worse.high > better.low
    (difference,) = found.differences
    assert difference.difference.low > 0
    assert difference.difference.other_side == 0


def test_images_of_both_runs_are_compared_whatever_their_order(scored_run, masks):
    truths, spoilt = masks
    first, second = spoilt(0.4), spoilt(0.2)
    names = [f"image_{place:03d}" for place in range(30)]
    some = np.random.default_rng(0).permutation(30)[:20]
    runs = [
        scored_run(first, truths, ["a=1"]),
        scored_run(second[some], truths[some], ["a=2"], [names[place] for place in some]),
    ]
    (one,) = only(compare_scores(runs, RESAMPLES, visible=False)).differences
    expected = miou(second[some], truths[some]) - miou(first[some], truths[some])
    assert one.difference.value == pytest.approx(expected)
    assert one.num_images == 20


def test_other_images_of_the_same_names_are_not_compared(scored_run, masks):
    truths, spoilt = masks
    others = (truths + (np.arange(64).reshape(8, 8) == 0)).clip(max=3).astype(np.uint8)
    runs = [scored_run(spoilt(0.2), truths, ["a=1"]), scored_run(spoilt(0.2), others, ["a=2"])]
    (one,) = only(compare_scores(runs, RESAMPLES, visible=False)).differences
    assert one.difference is None
    assert "ground truth differs" in one.problem
    runs[1] = scored_run(spoilt(0.2), truths, ["a=2"], [f"other_{place}" for place in range(30)])
    (one,) = only(compare_scores(runs, RESAMPLES, visible=False)).differences
    assert "no image" in one.problem


def test_seeds_widen_an_interval_that_images_alone_leave_too_short(scored_run, masks):
    truths, spoilt = masks
    shares = {"a=1": (0.1, 0.3, 0.5), "a=2": (0.15, 0.32, 0.48)}
    runs = {
        setting: [
            scored_run(spoilt(share), truths, [setting, f"seed={seed}"])
            for seed, share in enumerate(of)
        ]
        for setting, of in shares.items()
    }
    grouped = only(compare_scores([*runs["a=1"], *runs["a=2"]], 400, visible=False))
    assert [len(one.group.seeds) for one in grouped.scores] == [3, 3]
    alone = [only(compare_scores([run], 400, visible=False)).scores[0] for run in runs["a=1"]]
    assert grouped.scores[0].value == pytest.approx(np.mean([one.value for one in alone]))
    widths = [one.high - one.low for one in alone]
    assert grouped.scores[0].high - grouped.scores[0].low > 2 * max(widths)
    (difference,) = grouped.differences
    assert difference.paired_seeds
    # Equal seeds are drawn together: what a seed does to both cancels out.
    spread = difference.difference.high - difference.difference.low
    assert spread < grouped.scores[0].high - grouped.scores[0].low


def test_calibration_is_compared_beside_it(scored_run, masks):
    """All pixels in one bin, 64 an image, always half of them right: the error is known."""
    truths, spoilt = masks

    def counts(confidence):
        table = np.zeros((30, NUM_BINS, 3), dtype=np.int64)
        place = int(np.ceil(confidence * NUM_BINS)) - 1
        table[:, place] = 64, 32, 64 * round(confidence * FULL)
        return table

    runs = [
        scored_run(spoilt(0.2), truths, [f"a={one}"], None, counts(one), "segmenter")
        for one in (0.9, 0.6)
    ]
    (one,) = only(compare_scores(runs, RESAMPLES, visible=False), ECE).differences
    found = [one.difference.value, one.difference.low, one.difference.high]
    assert found == pytest.approx([-0.3] * 3, abs=2 / FULL)


def test_page_table_and_json_agree(scored_run, masks, tmp_path):
    truths, spoilt = masks
    runs = [scored_run(spoilt(share), truths, [f"a={share}"]) for share in (0.9, 0.1)]
    scores = compare_scores(runs, RESAMPLES, visible=False)
    known = only(scores).differences[0].difference
    page = write_page(runs, tmp_path / "c.html", title="two", scores=scores)
    shown = f"+{100 * known.value:.1f}"
    assert shown in page.read_text(encoding="utf-8")
    assert "clear" in page.read_text(encoding="utf-8").partition("<main")[2]
    assert shown in next(iter(difference_table(scores).columns[3].cells))
    content = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))["scores"]
    assert content["oracle"] is True
    (measured,) = content["measured"]
    assert measured["differences"][0]["value"] == known.value
    assert [content["groups"][one["group"]]["settings"] for one in measured["scores"]] == [
        "a=0.9",
        "a=0.1",
    ]
    again = compare_scores(runs, RESAMPLES, visible=False)
    write_page(runs, tmp_path / "d.html", title="two", scores=again)
    assert (tmp_path / "d.html").read_bytes() == page.read_bytes()
    assert (tmp_path / "d.json").read_bytes() == (tmp_path / "c.json").read_bytes()


def test_of_many_differences_some_are_folded(scored_run, masks):
    truths, spoilt = masks
    runs = [scored_run(spoilt(0.1 * one), truths, [f"a={one}"]) for one in range(6)]
    section = scores_section(compare_scores(runs, RESAMPLES, visible=False))
    ((_, at_once, folded),) = section.data["scores"]
    assert (len(at_once), len(folded)) == (5, 10)
    assert section.oracle


def test_runs_of_earlier_versions_are_named(scored_run, masks):
    truths, spoilt = masks
    run = scored_run(spoilt(0.1), truths)
    (run.folders["evaluate"] / "image_counts.npz").unlink()
    scores = compare_scores([run], RESAMPLES, visible=False)
    assert (scores.scores, scores.without_counts) == ([], [run.name])
    assert compare_scores([run], 0, visible=False).without_counts == []
