import numpy as np
import pytest

from wsss.metrics.confusion import confusion_matrix
from wsss.report.object_sizes import NAMES, RegionTally, SizeTally


def test_the_iou_of_objects_by_their_true_size():
    rng = np.random.default_rng(0)
    tally, expected = SizeTally(), {name: [] for name in NAMES}
    bounds = dict(zip(NAMES, (0.01, 0.04, 0.16, 0.36, 1.1), strict=True))
    for _ in range(40):
        true = np.zeros((20, 20), dtype=np.uint8)
        for label in (1, 2, 3):
            side = rng.integers(0, 18)
            true[:side, :side] = label if rng.random() < 0.7 else 0
        true[-1, -1] = 255
        predicted = np.where(rng.random(true.shape) < 0.7, true, rng.integers(0, 4)).astype(
            np.uint8
        )
        tally.add(confusion_matrix(predicted, true, 3))
        valid = true != 255
        shown = np.where(predicted == 255, 0, predicted)
        for label in {*true[valid].tolist()} - {0}:
            size = (true == label).sum() / valid.sum()
            name = next(name for name, bound in bounds.items() if size < bound)
            both = ((true == label) & (shown == label) & valid).sum()
            either = (((true == label) | (shown == label)) & valid).sum()
            expected[name].append(both / either)
    for one in tally.bins():
        assert one.count == len(expected[one.name])
        assert (one.iou is None) == (one.count == 0)
        if one.count:
            assert one.iou == pytest.approx(np.mean(expected[one.name]))
    assert sum(one.count > 0 for one in tally.bins()) >= 4


def test_regions_of_masks_are_counted_by_size():
    tally = RegionTally()
    tally.add({0: 500, 1: 5, 2: 395, 255: 100})
    tally.add({0: 900, 1: 100})
    assert [(one.name, one.count) for one in tally.bins() if one.count] == [
        ("under 1 %", 1), ("4–16 %", 1), ("over 36 %", 1),
    ]  # fmt: skip
