"""What is kept of each image in memory."""

import tracemalloc

import numpy as np

from wsss.auditing.image_arrays import tag_table
from wsss.auditing.seen_images import SeenImage, SeenStore
from wsss.data.sample import Item


def test_the_table_of_tags_keeps_no_map_and_no_features(tmp_path):
    store, items = SeenStore(tmp_path), [Item(f"{n}", (1, 2)) for n in range(12)]
    of_tags = np.full(3, 0.5, dtype=np.float32)
    for item in items:
        maps = np.zeros((2, 512, 512), dtype=np.float16)
        best = np.zeros((3, 200_000), dtype=np.float16)
        store.write(item, SeenImage(maps, np.arange(2), *(of_tags, best), *(of_tags,) * 3))
    one_image = maps.nbytes + best.nbytes
    tags = np.zeros((len(items), 3), dtype=bool)
    numbers = np.zeros((len(items), 3), dtype=np.float32)
    arguments = (items, ["train"] * len(items), ("a", "b", "c"), tags, numbers, numbers, store)
    tag_table(*arguments)  # What is imported late counts once.
    tracemalloc.start()
    table, overlaps = tag_table(*arguments)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * one_image  # One image, maps of it as float32, and what their overlap takes.
    assert (table.filled == 0.5).all()
    assert overlaps == {(0, 1): 0.0}
