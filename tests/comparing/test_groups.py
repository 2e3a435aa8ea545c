"""Which runs are one group."""

from wsss.comparing.groups import grouped


def test_runs_that_differ_by_their_seed_are_one_group(scored_run, masks):
    truths, spoilt = masks
    words = [("seed=10", "cam=a"), ("seed=9", "cam=b"), ("seed=9", "cam=a"), ("seed=11", "cam=b")]
    runs = [scored_run(spoilt(0.2), truths, one) for one in words]
    first, second = grouped(runs)
    assert [first.seeds, second.seeds] == [("9", "10"), ("9", "11")]
    assert first.runs == (runs[2], runs[0])
    assert [first.settings, second.settings] == ["cam=a", "cam=b"]
    assert first.label == "cam=a (2 seeds)"
    assert grouped(runs[:2])[0].label == runs[0].name


def test_the_same_training_counts_once(scored_run, masks):
    truths, spoilt = masks
    runs = [scored_run(spoilt(0.2), truths, ("seed=1",)) for _ in range(2)]
    (group,) = grouped(runs)
    assert group.runs == (runs[0],)


def test_runs_without_a_seed_in_their_words_are_told_apart_by_what_stages_note(scored_run, masks):
    truths, spoilt = masks
    runs = [scored_run(spoilt(0.2), truths, words) for words in ((), ("seed=3",))]
    (group,) = grouped(runs)
    assert group.seeds == ("0", "3")
    assert group.settings == ""
