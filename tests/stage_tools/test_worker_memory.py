"""The memory of a worker process of the stage `refine`, over thousands of images."""

import itertools
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from wsss.artifacts import Seeds, SeedStore, seed_size
from wsss.data.sample import Item

NUM_FILES = 250
STEP, NUM_STEPS, NUM_LEAKING_STEPS = 500, 8, 4
"""Images between two looks at the memory, and how many looks: 4000 images, and 2000 that leak."""
BYTES_PER_IMAGE = 200
"""What is less is no map, mask or table, not even of a few pixels; a tenth of it was measured."""

WORKER = """
import json, sys
from pathlib import Path

import psutil

from wsss.artifacts import LabelStore, SeedStore, StatisticsStore
from wsss.data.images import read_rgb
from wsss.data.sample import Item
from wsss.refine import CrfRefinement, NumbaEngine
from wsss.refine.pseudo_label import upsample
from wsss.stage_tools import worker_pool
from wsss.stage_tools.refine_item import RefineItem


class Pictures:
    def read_image(self, item):
        return read_rgb(item.image)


class Leaking(RefineItem):
    def __call__(self, item, mask=None):
        super().__call__(item, mask)
        seeds = self.seeds.read(item)
        kept.append(upsample(seeds.maps, seeds.size))


def resident():
    return psutil.Process().memory_info().rss


def work(kind, num_steps):
    stores = (SeedStore(root / "seeds"), LabelStore(root / "masks"))
    statistics = StatisticsStore(root / "statistics")
    method = CrfRefinement(NumbaEngine(num_iterations=1))
    worker_pool._install(kind(Pictures(), *stores, statistics, method, 10, True), root)
    for number in range(num_steps * step):
        # New sizes come up to the end: a cache of all would grow.
        file = number * num_files // (num_steps * step) if number % 2 else number % 20
        item = Item(id=f"{file}", image=root / f"{file}.png", labels=(1,))
        worker_pool._attempt(item)
        if (number + 1) % step == 0:
            yield resident()


root, kept = Path(sys.argv[1]), []
num_files, step, num_steps, num_leaking_steps = map(int, sys.argv[2:])
print(json.dumps([[*work(RefineItem, num_steps)], [*work(Leaking, num_leaking_steps)]]))
"""


@pytest.mark.minutes
def test_a_worker_does_not_grow_with_the_number_of_images(tmp_path):
    """Step by step: once in a while the allocator takes a block more, but a leak never rests.

    The first half of the steps is left out: until then it takes blocks for every new size. One of
    a map an image is seen.
    """
    rng = np.random.default_rng(0)
    seeds = SeedStore(tmp_path / "seeds")
    sizes = rng.permutation([*itertools.product(range(16, 33), repeat=2)])
    for number, size in enumerate(sizes[:NUM_FILES].tolist()):
        image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / f"{number}.png")
        maps = rng.random((1, *seed_size(*size))).astype(np.float16)
        item = Item(id=f"{number}", image=tmp_path / f"{number}.png", labels=(1,))
        seeds.write(item, Seeds(np.array([1], dtype=np.uint16), maps, size))
    numbers = map(str, (NUM_FILES, STEP, NUM_STEPS, NUM_LEAKING_STEPS))
    words = [sys.executable, "-c", WORKER, str(tmp_path), *numbers]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    growth, growth_of_a_leak = (
        np.median(np.diff(resident[len(resident) // 2 :])) / STEP
        for resident in json.loads(result.stdout)
    )
    assert growth < BYTES_PER_IMAGE
    assert growth_of_a_leak > 1000
