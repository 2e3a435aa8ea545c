"""Which images the evaluation chooses to be shown."""

import numpy as np
import pytest

from wsss.data.sample import Item
from wsss.metrics.confusion import confusion_matrix
from wsss.stages.evaluate.scoring import CountStore, without_class
from wsss.stages.evaluate.stage import _gallery

RIGHT, HALF = np.array([1, 1, 0, 0], dtype=np.uint8), np.array([1, 0, 0, 0], dtype=np.uint8)
EMPTY = np.zeros(4, dtype=np.uint8)


@pytest.fixture
def scored(tmp_path):
    """Items with their counts: two of them perfect because there is nothing to find."""
    store = CountStore(tmp_path)
    images = {
        "tagged": ((1,), RIGHT, RIGHT),
        "tagged without truth": ((1,), EMPTY, EMPTY),
        "untagged with truth": ((), HALF, RIGHT),
        "empty": ((), EMPTY, EMPTY),
        "empty, but found": ((), HALF, EMPTY),
    }
    items = [Item(name, tags) for name, (tags, _, _) in images.items()]
    for item in items:
        _, prediction, truth = images[item.id]
        store.write(item, {"segmenter": confusion_matrix(prediction, truth, 1)})
    return store, items


def test_images_that_show_no_class_are_not_shown(scored):
    store, items = scored
    assert without_class(store, items) == {"empty", "empty, but found"}
    groups = _gallery(items, store, "segmenter", 1)
    assert groups == {
        "best": ["tagged"],
        "median": ["tagged without truth"],
        "worst": ["untagged with truth"],
    }


def test_where_no_image_shows_a_class_a_sample_is_shown(scored):
    store, items = scored
    assert _gallery(items[3:], store, "segmenter", 1) == {"sample": ["empty", "empty, but found"]}
