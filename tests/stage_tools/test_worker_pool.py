"""Work on items in processes: what is queued, and what it holds."""

import json
from pathlib import Path

import psutil
import pytest

from wsss.data.sample import Item
from wsss.data.sources.folder.folder import Folder
from wsss.stage_tools.worker_pool import failures, process_items


def test_ten_thousand_items_are_queued_a_few_at_a_time(tmp_path):
    """Each call carries 10 kB: a queue of all would hold 100 MB."""
    asked = finished = most_ahead = 0

    def calls():
        nonlocal asked, most_ahead
        for _ in range(10_000):
            asked += 1
            most_ahead = max(most_ahead, asked - finished)
            yield (bytes(10_000),)

    before = most = psutil.Process().memory_info().rss
    for _ in process_items(len, calls(), workers=2, folder=tmp_path):
        finished += 1
        if finished % 1000 == 0:
            most = max(most, psutil.Process().memory_info().rss)
    assert finished == 10_000
    assert most_ahead <= 4 * 2 + 2
    assert most - before < 30e6


def test_items_of_this_process_are_noted_where_they_fail(tmp_path):
    items = [Item(id=f"{number}", image=Path(f"{number}.jpg"), labels=(1,)) for number in range(3)]
    seen = []

    def task(item, factor):
        if item.id == "1":
            raise ValueError("this one")
        seen.append((item.id, factor))

    done = process_items(task, ((item, 2) for item in items), 0, tmp_path)
    assert [item.id for item in done] == ["0", "1", "2"]
    assert seen == [("0", 2), ("2", 2)]
    (note,) = tmp_path.rglob("*.json")
    assert json.loads(note.read_text()) == {"id": "1", "reason": "this one"}


@pytest.mark.parametrize("workers", [0, 1])
def test_an_item_that_fails_is_noted_and_stops_no_other(write_folder, tmp_path, workers):
    source = Folder(write_folder())
    items = source.items("train")
    items[1].image.write_bytes(b"no image")
    calls = ((item,) for item in items)
    done = list(process_items(source.read_image, calls, workers, tmp_path))
    assert {item.id for item in done} == {item.id for item in items}
    assert len(done) == len(items)
    assert failures(tmp_path).keys() == {items[1].id}
