import numpy as np
import torch

from wsss.data.colours import in_unit_range


def test_every_level_is_the_float32_next_to_its_fraction(device):
    levels = torch.arange(256, dtype=torch.uint8, device=device).reshape(2, 2, 64)
    expected = (np.arange(256) / 255).astype(np.float32).reshape(2, 2, 64)
    found = in_unit_range(levels)
    assert found.dtype == torch.float32
    assert found.device.type == device.type
    np.testing.assert_array_equal(found.cpu().numpy(), expected)
