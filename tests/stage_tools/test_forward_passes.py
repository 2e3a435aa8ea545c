import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from wsss.data.pyramids import PyramidBatch, Scales
from wsss.data.sample import Item
from wsss.errors import WsssError
from wsss.models import Segmenter
from wsss.stage_tools.context import Context
from wsss.stage_tools.forward_passes import map_batches
from wsss.stage_tools.measured import Measured
from wsss.stage_tools.predictions.passes import predictor


def batch_of(*numbers):
    items = [Item(str(number), f"{number}.jpg", ()) for number in numbers]
    images = torch.tensor(numbers, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 4, 6)
    return PyramidBatch(items, [(4, 6)] * len(items), [images, 2 * images])


BATCHES = [batch_of(1, 2, 3, 4, 5), batch_of(), batch_of(6), batch_of(7, 8)]


def sums_of(batch):
    """A result for each image that no other has."""
    assert not torch.is_grad_enabled()
    return [float(one.sum() + two.sum()) for one, two in zip(*batch.pyramid, strict=True)]


def in_memory_for(most):
    def limited(batch):
        if len(batch.items) > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return sums_of(batch)

    return limited


@pytest.fixture
def context(tmp_path):
    return Context(source=None, folder=tmp_path / "localize" / "0123", workers=2)


def results(context, function):
    return [list(found) for _, found in map_batches(context, function, iter(BATCHES))]


@pytest.mark.parametrize("most", [1, 2, 3, 5])
def test_batches_too_large_for_memory_give_the_same_results_in_order(context, caplog, most):
    assert results(context, in_memory_for(most)) == results(context, sums_of)
    assert context.measured.halvings == {1: 5, 2: 2, 3: 1, 5: 0}[most]
    assert ("ran out with 5 images" in caplog.text) == (most < 5)


@pytest.mark.parametrize(
    ("cpu_px", "parts"),
    [(None, [5, 1, 2]), (5 * 24, [5, 1, 2]), (2 * 24, [2, 1, 2, 1, 2]), (1, [1] * 8)],
)
def test_a_thread_of_a_cpu_computes_few_pixels_at_once(context, cpu_px, parts):
    """In halves, as 5 → 2 + 3 → 2 + 1 + 2, and one image at least."""
    seen = []

    def noted(batch):
        seen.append(len(batch.items))
        return sums_of(batch)

    context.workers = 1
    found = [list(sums) for _, sums in map_batches(context, noted, iter(BATCHES), cpu_px)]
    assert seen == parts
    assert found == results(context, sums_of)
    assert context.measured.halvings == 0


def test_pixels_of_a_batch_are_those_of_its_largest_scale():
    small, large = torch.zeros(5, 3, 4, 6), torch.zeros(5, 3, 8, 12)
    assert PyramidBatch(pyramid=[small, large]).num_px == 5 * 8 * 12
    assert PyramidBatch().num_px == 0


def test_an_image_too_large_for_memory_is_told(context):
    with pytest.raises(WsssError, match="1: memory ran out on an image of 4 × 6") as caught:
        results(context, in_memory_for(0))
    assert "`max_side_px` of the scales of `localize`" in str(caught.value)


def test_other_errors_are_passed_on(context):
    def broken(batch):
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        results(context, broken)


def test_batches_run_in_threads_of_one_core_each(context):
    seen = set()

    def noted(batch):
        seen.add((threading.current_thread().name, torch.get_num_threads()))
        time.sleep(0.01)
        return sums_of(batch)

    threads = torch.get_num_threads()
    results(context, noted)
    assert all(count == 1 for _, count in seen)
    assert threading.main_thread().name not in {name for name, _ in seen}
    assert torch.get_num_threads() == threads


def test_a_mixed_precision_reaches_every_thread(tmp_path):
    from lightning_fabric import Fabric

    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    context = Context(source=None, folder=tmp_path, fabric=fabric, workers=2)
    ones = torch.ones(2, 2)
    found = results(context, lambda batch: [(ones @ ones).dtype for _ in batch.items])
    assert {kind for one in found for kind in one} == {torch.bfloat16}


def test_the_slower_of_reading_and_computing_is_named(context):
    def slowly(batches):
        for batch in batches:
            time.sleep(0.02)
            yield batch

    for _ in map_batches(context, sums_of, slowly(BATCHES)):
        pass
    assert context.measured.slowest == "images"
    context.measured = Measured()

    def slow(batch):
        time.sleep(0.02)
        return sums_of(batch)

    for _ in map_batches(context, slow, iter(BATCHES)):
        pass
    assert context.measured.slowest == "network"
    assert SimpleNamespace(**context.measured.seconds).network >= 0.02


def test_a_prediction_does_not_depend_on_what_else_is_in_a_batch(context):
    torch.manual_seed(0)
    segmenter = Segmenter("DeepLabV3Plus", "tf_efficientnet_lite0", None, 3, decoder_channels=16)
    levels = [torch.randint(0, 256, (4, 3, *size), dtype=torch.uint8) for size in [(32, 48)] * 2]
    batch = PyramidBatch([Item(str(n), ()) for n in range(4)], [(32, 48)] * 4, levels)
    predict = predictor(context, segmenter.eval(), Scales((1.0, 1.0)), flip=True)
    ((_, whole),) = map_batches(context, predict, [batch])
    ((_, alone),) = map_batches(context, predict, [batch], 1)
    for one, other in zip(whole, alone, strict=True):
        assert one.single_scale.tolist() == other.single_scale.tolist()
        assert one.labels.tolist() == other.labels.tolist()
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-3)
