import numpy as np
import pytest
import torch

from wsss.losses import balanced_class_weights


def test_rare_classes_weigh_more_by_the_root_of_their_frequency():
    tags = torch.zeros(100, 3, dtype=torch.bool)
    tags[:64, 0], tags[:4, 1] = True, True
    weights = balanced_class_weights(tags)
    assert weights.mean().item() == pytest.approx(1)
    # 64, 4 and (none, so like one) 1 images.
    np.testing.assert_allclose(weights / weights[0], [1, 4, 8], rtol=1e-6)
