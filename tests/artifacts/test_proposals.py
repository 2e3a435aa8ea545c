import numpy as np
import pytest

from wsss.artifacts import Proposals, ProposalStore
from wsss.data.sample import Item
from wsss.errors import WsssError

CAT = Item("cat", None, ())


@pytest.mark.parametrize("shape", [(3, 5, 7), (1, 4, 8), (2, 3, 17), (0, 5, 7)])
def test_proposals_come_back_as_they_were(shape, tmp_path):
    random = np.random.default_rng(0)
    written = Proposals(
        random.random(shape) < 0.5,
        random.random(shape[0]).astype(np.float16),
        random.random(shape[0]).astype(np.float16),
    )
    store = ProposalStore(tmp_path)
    store.write(CAT, written)
    read = store.read(CAT)
    assert read.masks.dtype == np.bool_
    for name in ("masks", "predicted_iou", "stability"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))


def test_proposals_that_are_missing_or_damaged_are_told(tmp_path):
    store = ProposalStore(tmp_path)
    with pytest.raises(WsssError, match=r"cat\.npz: no mask proposals .* Run the stage `propose`"):
        store.read(CAT)
    store.path(CAT).write_bytes(b"PK")
    with pytest.raises(WsssError, match=r"cat\.npz"):
        store.read(CAT)
