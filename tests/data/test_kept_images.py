import pickle

import numpy as np
import pytest
import torch

from wsss.data.datasets import MaskedImages
from wsss.data.kept_images import KeptImages
from wsss.data.source import TRAIN
from wsss.data.sources.synthetic.synthetic import Synthetic
from wsss.data.transforms import Augmentation

SOURCE = Synthetic(num_train=4, num_val=1, size_px=64)


def decoder(size_bytes, calls):
    def decode():
        calls.append(size_bytes)
        return (np.zeros(size_bytes, np.uint8),)

    return decode


def test_what_fits_is_decoded_once():
    kept, calls = KeptImages(limit_bytes=10), []
    for _ in range(3):
        for index, size_bytes in enumerate([6, 5, 4, 1]):
            (found,) = kept.get(index, decoder(size_bytes, calls))
            assert len(found) == size_bytes
    # 6 + 4 bytes fill it; 5 and 1 do not fit, and are decoded each time.
    assert calls == [6, 5, 4, 1, 5, 1, 5, 1]
    assert len(kept) == 2


def test_without_memory_nothing_is_kept():
    kept, calls = KeptImages(), []
    for _ in range(2):
        kept.get(0, decoder(1, calls))
    assert calls == [1, 1]


def test_another_process_keeps_its_own():
    kept = KeptImages(limit_bytes=10)
    kept.get(0, decoder(6, []))
    copy = pickle.loads(pickle.dumps(kept))
    assert (len(copy), copy.limit_bytes) == (0, 10)


@pytest.mark.parametrize("scales", [(0.5, 1.5), (1.0, 1.0)])
def test_kept_images_are_augmented_as_those_that_are_decoded(scales):
    augmentation = Augmentation(48, *scales, max_side_px=56)
    pairs = [
        MaskedImages(SOURCE, SOURCE.items(TRAIN), SOURCE.read_mask, augmentation, seed=3)
        for _ in range(2)
    ]
    pairs[0].kept.limit_bytes = 2**20
    for epoch in range(3):
        for index in range(4):
            kept, decoded = (one[epoch, index] for one in pairs)
            assert torch.equal(kept["images"], decoded["images"])
            assert torch.equal(kept["masks"], decoded["masks"])
    assert [len(one.kept) for one in pairs] == [4, 0]
