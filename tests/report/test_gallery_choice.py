from hypothesis import given
from hypothesis import strategies as st

from wsss.report.gallery_choice import BEST, MEDIAN, WORST, choose_gallery, sample_gallery

SCORES = st.dictionaries(st.text(max_size=4), st.floats(0, 1) | st.just(0.5), max_size=30)


def test_best_median_and_worst():
    scores = {f"{rank:02d}": 1 - rank / 10 for rank in range(11)}
    assert choose_gallery(scores, 2) == {
        BEST: ["00", "01"],
        MEDIAN: ["04", "05"],
        WORST: ["10", "09"],
    }


@given(SCORES, st.integers(0, 6))
def test_no_id_twice_and_no_place_wasted(scores: dict[str, float], per_group: int):
    groups = choose_gallery(scores, per_group)
    ids = [item_id for group in groups.values() for item_id in group]
    assert len(ids) == len(set(ids)) == min(len(scores), 3 * per_group)
    assert all(len(group) <= per_group for group in groups.values())


@given(SCORES, st.integers(1, 6))
def test_groups_are_ranked(scores: dict[str, float], per_group: int):
    groups = choose_gallery(scores, per_group)
    ranking = [scores[i] for i in [*groups[BEST], *groups[MEDIAN], *groups[WORST][::-1]]]
    assert ranking == sorted(ranking, reverse=True)
    shown = {item_id for group in groups.values() for item_id in group}
    others = [score for item_id, score in scores.items() if item_id not in shown]
    assert all(scores[i] >= other for i in groups[BEST] for other in others)
    assert all(scores[i] <= other for i in groups[WORST] for other in others)


@given(SCORES, st.integers(0, 6), st.randoms())
def test_order_of_scores_does_not_matter(scores: dict[str, float], per_group: int, random):
    shuffled = list(scores.items())
    random.shuffle(shuffled)
    assert choose_gallery(dict(shuffled), per_group) == choose_gallery(scores, per_group)


def test_ties_are_broken_by_id():
    assert choose_gallery({"c": 0.5, "a": 0.5, "b": 0.5}, 1) == {
        BEST: ["a"],
        MEDIAN: ["b"],
        WORST: ["c"],
    }


def test_one_image_is_the_best():
    assert choose_gallery({"only": 0.1}, 5) == {BEST: ["only"], MEDIAN: [], WORST: []}


def test_nan_is_left_out():
    assert choose_gallery({"a": float("nan"), "b": 0.2}, 5)[BEST] == ["b"]


@given(st.lists(st.text(), unique=True, max_size=20), st.integers(0, 30))
def test_sample_is_unique_and_full(ids: list[str], count: int):
    (sample,) = sample_gallery(ids, count).values()
    assert len(sample) == len(set(sample)) == min(count, len(ids))
    assert sample == [item_id for item_id in ids if item_id in sample]
