"""Labels of the same energies."""

import numpy as np

from wsss.refine.dense_crf.channels import shared_channels
from wsss.refine.dense_crf.unaries import energies_from_labels


def test_labels_of_the_same_energies_share_a_channel():
    labels = np.random.default_rng(0).integers(0, 3, (30, 40), dtype=np.uint8)
    first, channel_of = shared_channels(energies_from_labels(labels, 12))
    assert first == [0, 1, 2, 3]
    assert channel_of.tolist() == [0, 1, 2, *[3] * 9]
