import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsss.artifacts import Seeds, SeedStore, seed_size
from wsss.data.sources.synthetic.synthetic import Synthetic
from wsss.refine import ConfidentLabels, CrfRefinement, NumbaEngine
from wsss.refine.dense_crf.engine import Problem
from wsss.stage_tools.context import Context
from wsss.stage_tools.crf_batches import Posed, batches_of, masks_in_batches
from wsss.stage_tools.worker_pool import failures

NUM_IMAGES = 6


class Batched(NumbaEngine):
    """An engine that wants batches."""

    in_batches = True


@pytest.fixture(scope="module")
def source():
    return Synthetic(num_train=NUM_IMAGES, num_val=1, size_px=64)


@pytest.fixture(scope="module")
def read(source, tmp_path_factory):
    """Reads images with seeds, some of them without tags."""
    store = SeedStore(tmp_path_factory.mktemp("seeds"))
    rng = np.random.default_rng(0)
    for number, item in enumerate(source.items("train")):
        height, width, _ = source.read_image(item).shape
        labels = np.array(item.labels if number % 3 else (), dtype=np.uint16)
        maps = rng.uniform(size=(len(labels), *seed_size(height, width))).astype(np.float16)
        store.write(item, Seeds(labels, maps, (height, width)))
    return lambda item: (source.read_image(item), store.read(item))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    "labelling",
    [
        CrfRefinement(Batched(num_iterations=1), min_confidence=0.6, max_side_px=48),
        CrfRefinement(Batched(num_iterations=1), void_factor=1.3),
        ConfidentLabels(Batched(num_iterations=1)),
    ],
    ids=["confidence", "two thresholds", "confident labels"],
)
def test_masks_of_batches_are_those_of_single_images(source, read, tmp_path, labelling, workers):
    context = Context(source, tmp_path, workers=workers)
    items = source.items("train")
    found = list(masks_in_batches(context, labelling, items, read, batch_size=4))
    assert [item for item, _ in found] == [*items]
    for item, mask in found:
        np.testing.assert_array_equal(mask, labelling(*read(item)))
    assert {*context.measured.seconds} == {"images", "dense CRF"}


def test_an_image_that_cannot_be_read_is_noted_and_stops_no_other(source, read, tmp_path):
    broken = source.items("train")[2]

    def read_most(item):
        if item == broken:
            raise OSError("cannot be read")
        return read(item)

    labelling = CrfRefinement(Batched(num_iterations=1))
    context = Context(source, tmp_path, workers=0)
    found = masks_in_batches(context, labelling, source.items("train"), read_most, batch_size=4)
    assert [item.id for item, _ in found] == [
        one.id for one in source.items("train") if one != broken
    ]
    assert failures(tmp_path) == {broken.id: "cannot be read"}


def test_halves_of_an_engine_are_counted(source, read, tmp_path):
    class Halving(Batched):
        def _solve_batch(self, images, unaries):
            self.halvings += 2
            return super()._solve_batch(images, unaries)

    context = Context(source, tmp_path, workers=0)
    labelling = CrfRefinement(Halving(num_iterations=0))
    list(masks_in_batches(context, labelling, source.items("train"), read, batch_size=4))
    assert context.measured.halvings == 4


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=12),
    st.integers(1, 5),
    st.integers(1, 200),
)
def test_batches_keep_the_order_and_both_bounds_and_are_full(sizes, batch_size, max_batch_px):
    posed = [Posed(number, Problem(np.zeros((*size, 3)), [])) for number, size in enumerate(sizes)]
    batches = list(batches_of(iter(posed), batch_size, max_batch_px))
    assert [item for batch in batches for item, _ in batch] == [*range(len(sizes))]
    pixels = [[sizes[item][0] * sizes[item][1] for item, _ in batch] for batch in batches]
    for batch, after in zip(pixels, [*pixels[1:], None], strict=False):
        assert 1 <= len(batch) <= batch_size
        assert len(batch) == 1 or sum(batch) <= max_batch_px
        if after is not None:
            assert len(batch) == batch_size or sum(batch) + after[0] > max_batch_px
