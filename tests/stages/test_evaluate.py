"""Which images the evaluation chooses to be shown, and CRFs of predictions solved together."""

from dataclasses import replace

import numpy as np
import pytest

from wsss.artifacts import LabelStore
from wsss.data.resizing import shrink
from wsss.data.sample import Item
from wsss.data.sources.synthetic.synthetic import Synthetic
from wsss.metrics.confusion import confusion_matrix
from wsss.refine import NumbaEngine
from wsss.stage_tools.context import Context
from wsss.stage_tools.predictions.crf_on_device import with_crf
from wsss.stage_tools.predictions.finish import FinishPrediction
from wsss.stage_tools.predictions.prediction import Prediction
from wsss.stage_tools.scoring import CountStore, ScorePrediction, without_class
from wsss.stage_tools.worker_pool import failures
from wsss.stages.evaluate import _gallery

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


class Batched(NumbaEngine):
    """An engine that wants batches."""

    in_batches = True


@pytest.mark.parametrize("workers", [0, 2])
def test_crfs_solved_together_give_the_masks_of_single_images(tmp_path, workers):
    source = Synthetic(num_train=1, num_val=19, size_px=64)
    rng = np.random.default_rng(0)
    items = source.items("val")

    def prediction(item):
        size = source.read_image(item).shape[:2]
        scores = rng.uniform(size=(1 + len(item.labels), *size))
        labels = np.array([0, *item.labels], dtype=np.uint8)
        probabilities = (scores / scores.sum(axis=0)).astype(np.float16)
        return Prediction(labels[probabilities.argmax(axis=0)], labels, probabilities)

    def finish(name):
        stores = (LabelStore(tmp_path / name / "single"), LabelStore(tmp_path / name / "averaged"))
        counts = ScorePrediction(source, CountStore(tmp_path / name / "counts"))
        return FinishPrediction(source, *stores, Batched(num_iterations=1), 48, counts)

    calls = [(item, prediction(item)) for item in items]
    sizes = [shrink(source.read_image(item), 48).shape[:2] for item in items]
    calls = [
        (item, replace(one, probabilities=one.probabilities[:, : size[0], : size[1]]))
        for (item, one), size in zip(calls, sizes, strict=True)
    ]
    context = Context(source, tmp_path, workers=workers)
    together = list(with_crf(context, Batched(num_iterations=1), iter(calls), 48))
    assert [item for item, *_ in together] == [*items]
    for single, call in zip(calls, together, strict=True):
        finish("single")(*single)
        finish("together")(*call)
    files = [path.relative_to(tmp_path / "single") for path in (tmp_path / "single").rglob("*.*")]
    assert len(files) == 3 * len(items)
    for path in files:
        ours, theirs = ((tmp_path / name / path).read_bytes() for name in ("together", "single"))
        assert ours == theirs
    assert {*context.measured.seconds} == {"images", "dense CRF"}


def test_an_image_that_is_gone_stops_no_other(tmp_path):
    class Gone(Synthetic):
        def read_image(self, item):
            if item == self.items("val")[1]:
                raise OSError("gone")
            return super().read_image(item)

    source = Gone(num_train=1, num_val=3, size_px=64)
    items = source.items("val")
    labels = np.array([0, 1], dtype=np.uint8)
    calls = []
    for item in items:
        size = Synthetic.read_image(source, item).shape[:2]
        calls.append((item, Prediction(EMPTY, labels, np.full((2, *size), 0.5, np.float16))))
    context = Context(source, tmp_path, workers=0)
    found = with_crf(context, Batched(num_iterations=1), calls, max_side_px=1024)
    assert [item for item, *_ in found] == [items[0], items[2]]
    assert failures(tmp_path) == {items[1].id: "gone"}
