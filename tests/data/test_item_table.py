import pickle
import tracemalloc
from pathlib import Path

import pytest

from wsss.data.item_table import ItemTable, joined, select, take
from wsss.data.sample import Item

ROOT = Path("/data/pets")
ITEMS = (
    Item("a", (1, 254), ROOT / "images" / "a.jpg", ROOT / "masks" / "a.png"),
    Item("é/b", (), ROOT / "images" / "é" / "b.jpg"),
    Item("", (7,), Path("/elsewhere/c.jpg"), Path("relative.png")),
    Item("not UTF-8 \udcff", (2, 70_000)),
)


@pytest.mark.parametrize("folder", [ROOT, Path("/"), Path("/data/pe")])
def test_a_table_gives_the_items_it_was_made_of(folder):
    table = ItemTable.of(iter(ITEMS), folder)
    assert tuple(table) == ITEMS
    assert (len(table), table[-1], table[1:3]) == (4, ITEMS[-1], ITEMS[1:3])
    assert pickle.loads(pickle.dumps(table[::-1])) == ITEMS[::-1]
    assert list(table.ids()) == [item.id for item in ITEMS]
    assert list(table.labels()) == [item.labels for item in ITEMS]
    files = [item.image and str(item.image) for item in ITEMS]
    assert list(table.image_files()) == files
    assert list(table.mask_files()) == [item.mask and str(item.mask) for item in ITEMS]
    with pytest.raises(IndexError):
        table[4]


def test_tables_are_compared_like_tuples():
    table = ItemTable.of(ITEMS, ROOT)
    assert table == ItemTable.of(ITEMS, Path("/"))
    assert table != ITEMS[:3]
    assert table != (*ITEMS[:3], ITEMS[0])
    assert table != "four"


@pytest.mark.parametrize("items", [ITEMS, ItemTable.of(ITEMS, ROOT)])
def test_items_are_chosen_by_position_and_by_what_they_are(items):
    assert list(take(items, [3, 0, 0])) == [ITEMS[3], ITEMS[0], ITEMS[0]]
    assert list(take(take(items, [3, 1, 0])[::2], [1])) == [ITEMS[0]]
    assert list(select(items, lambda item: not item.mask)) == [ITEMS[1], ITEMS[3]]


def test_places_in_larger_files_are_kept_with_the_items():
    items = [Item(f"{row}", (1,), place=(row, 2**40 + row, -1)) for row in range(5)]
    table = ItemTable.of(iter(items), ROOT)
    assert [*table] == items
    assert [*table.take([4, 0])] == [items[4], items[0]]
    assert [*joined(table[:2], table[4:])] == [*items[:2], items[4]]
    assert [*pickle.loads(pickle.dumps(table[1:3]))] == items[1:3]
    assert [*table[::-1].places()] == [one.place for one in items[::-1]]


def test_an_item_takes_some_tens_of_bytes():
    count = 20_000
    names = [f"{number:06d}" for number in range(count)]
    tracemalloc.start()
    try:
        table = ItemTable.of_files(
            ((name, (1, 2), f"{ROOT}/images/{name}.jpg", f"{ROOT}/masks/{name}.png", ())
             for name in names),
            ROOT,
        )  # fmt: skip
        assert len(table) == count
        assert tracemalloc.get_traced_memory()[0] < 120 * count
        assert tracemalloc.get_traced_memory()[1] < 160 * count
    finally:
        tracemalloc.stop()
