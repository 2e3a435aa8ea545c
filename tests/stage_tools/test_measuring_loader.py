import time

import pytest
import torch

from wsss.data.datasets import AugmentedImages
from wsss.data.sources.synthetic import Synthetic
from wsss.stage_tools.measuring_loader import MeasuringLoader


class Slow(AugmentedImages):
    """Numbers that take a while to come, and may be kept."""

    def __init__(self, seconds, limit_bytes=0):
        super().__init__(Synthetic(), range(6), None, seed=0)
        self.seconds = seconds
        self.kept.limit_bytes = limit_bytes

    def __getitem__(self, index):
        time.sleep(self.seconds)
        self.kept.get(index, lambda: (torch.tensor([index], dtype=torch.uint8).numpy(),))
        return index


def epochs(loader, count, step_s):
    found = []
    for _ in range(count):
        before = loader.num_workers
        batches = []
        for batch in loader:
            time.sleep(step_s)
            batches.append(batch.tolist())
        found.append((before, batches))
    return found


BATCHES = [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("prepare_s", "step_s", "workers"),
    [(0.0, 0.1, [0, 0, 0]), (0.05, 0.01, [0, 2, 2])],
    ids=["quick", "slow"],
)
def test_processes_are_started_where_they_pay(prepare_s, step_s, workers):
    loader = MeasuringLoader(Slow(prepare_s), num_workers=2, batch_size=2)
    assert epochs(loader, 3, step_s) == [(number, BATCHES) for number in workers]


def test_an_epoch_in_which_images_are_decoded_is_no_measure():
    loader = MeasuringLoader(Slow(0.05, limit_bytes=100), num_workers=2, batch_size=2)
    assert [number for number, _ in epochs(loader, 3, 0.01)] == [0, 0, 2]


def test_an_epoch_that_is_left_early_decides_nothing():
    loader = MeasuringLoader(Slow(0.05), num_workers=2, batch_size=2)
    next(iter(loader))
    assert loader.num_workers == 0


def test_none_are_started_where_there_are_none():
    loader = MeasuringLoader(Slow(0.02), num_workers=0, batch_size=2)
    assert epochs(loader, 2, 0.0) == [(0, BATCHES)] * 2
