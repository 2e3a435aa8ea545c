import itertools

import numpy as np
import pytest

from wsss.report.co_occurrence import images_per_class, tag_pairs


def test_pairs_are_those_that_a_count_by_hand_finds():
    rng = np.random.default_rng(1)
    tags = rng.random((60, 6)) < 0.2
    tags[:, 5] |= tags[:, 4]  # The last class is on every image of the one before.
    found = {frozenset((pair.first, pair.second)): pair for pair in tag_pairs(tags)}
    for one, other in itertools.combinations(range(6), 2):
        both = sum(row[one] and row[other] for row in tags)
        counts = {at: sum(row[at] for row in tags) for at in (one, other)}
        rare, often = sorted((one, other), key=lambda at: (counts[at], at))
        more_than_chance = both >= 2 and both / counts[rare] > counts[often] / 60
        pair = found.get(frozenset((one + 1, other + 1)))
        assert (pair is not None) == more_than_chance
        if pair is not None:
            assert (pair.first, pair.second, pair.together) == (rare + 1, often + 1, both)
            assert pair.of_first == pytest.approx(both / counts[rare])
            assert pair.of_second == pytest.approx(both / counts[often])
            assert pair.by_chance == pytest.approx(counts[often] / 60)
    assert (tag_pairs(tags)[0].first, tag_pairs(tags)[0].of_first) == (5, 1.0)


def test_no_images_no_pairs():
    assert tag_pairs(np.zeros((0, 3), dtype=bool)) == ()
    assert images_per_class(np.array([[True, False], [True, True]])) == (2, 1)
