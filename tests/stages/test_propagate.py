"""What the walk makes of images that have no seeds."""

import numpy as np
import torch

from wsss.stages.propagate import _at_size, _padded, normalised


def test_an_image_without_tags_has_no_maps_of_any_size():
    padded = _padded(np.zeros((0, 6, 8), dtype=np.float16), 0, (5, 7))
    assert padded.shape == (1, 5, 7)
    assert not padded.any()
    found = normalised(_at_size(padded[:0], (6, 8)))
    assert found.shape == (0, 6, 8)


def test_maps_are_filled_up_to_those_of_the_others():
    maps = np.ones((1, 6, 8), dtype=np.float16)
    padded = _padded(maps, 3, (6, 8))
    torch.testing.assert_close(padded.sum(dim=(1, 2)), torch.tensor([48.0, 0.0, 0.0]))
