"""How the processes of a run share out its work."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest

from wsss.data.pyramids import Scales
from wsss.data.source import TRAIN
from wsss.data.sources.synthetic.synthetic import Synthetic
from wsss.stage_tools.context import Context
from wsss.stage_tools.loaders import pending_batches


@pytest.fixture
def contexts(tmp_path):
    """The contexts of a run's processes, by their number."""
    source = Synthetic(num_train=11, num_val=1, size_px=64)
    one = Context(source, tmp_path / "localize" / "0a1b")

    def of(processes):
        fabrics = (SimpleNamespace(global_rank=n, world_size=processes) for n in range(processes))
        return [replace(one, fabric=fabric) for fabric in fabrics]

    return of


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 16])
@pytest.mark.parametrize("count", [0, 1, 11, 12])
def test_each_thing_is_one_processs(contexts, processes, count):
    shares = [own.share(range(count)) for own in contexts(processes)]
    assert sorted(one for share in shares for one in share) == [*range(count)]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("processes", [1, 2, 3, 4])
def test_batches_of_images_are_shared_out_whatever_another_process_has_done(contexts, processes):
    """Processes begin at different times: the first may have finished all of its images by then."""
    seen: Counter[str] = Counter()
    for own in contexts(processes):
        batches = pending_batches(
            own, own.items(TRAIN), Scales((1.0,)), 2, lambda item: item.id in seen
        )
        seen.update([item.id for batch in batches for item in batch])
    assert seen == Counter(f"train_{number:04d}" for number in range(11))
