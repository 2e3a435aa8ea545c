import numpy as np
import pytest
from PIL import Image

from wsss.artifacts import (
    LabelStore,
    Manifest,
    Seeds,
    SeedStore,
    atomic,
    fingerprint,
    remove_unfinished,
    seed_size,
    voc_palette,
    write_json,
    write_json_rows,
)
from wsss.data.sample import Item
from wsss.errors import WsssError
from wsss.files import DamagedFileError

ITEMS = [Item(name, (1, 3)) for name in ("plain", "with space", "猫 ü", "sub/folder", "a.b")]


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"train": {}},
        {"train": {"a": {}}, "val": {}},
        {"train": {"ü": {"x": 0.1, "y": None}, 'b"\n': [1, {"c": []}]}, "val": {"d": 1}},
    ],
)
def test_rows_are_written_as_their_dictionary_is(tmp_path, parts):
    write_json(tmp_path / "whole.json", parts)
    write_json_rows(
        tmp_path / "rows.json", {name: iter(one.items()) for name, one in parts.items()}
    )
    assert (tmp_path / "rows.json").read_bytes() == (tmp_path / "whole.json").read_bytes()


def test_fingerprint_depends_on_content_not_on_the_order_of_keys():
    content = {"a": [1, 2.5, None], "b": {"c": "ü"}}
    assert fingerprint(content) == fingerprint({"b": {"c": "ü"}, "a": [1, 2.5, None]})
    others = [{**content, "a": [1, 2.5]}, {**content, "b": {"c": "u"}}, {**content, "d": 0}]
    assert len({fingerprint(one) for one in (content, *others)}) == 4
    assert len(fingerprint(content)) == 16


def test_seeds_of_objects_take_less_than_their_values(tmp_path):
    """Maps are zero away from objects and smooth on them; older files, stored as they are, read."""
    y, x = np.mgrid[-1:1:120j, -1:1:160j]
    maps = np.maximum(0, 1 - 4 * (x**2 + y**2))[None].astype(np.float16)
    store, item = SeedStore(tmp_path), Item("img", (1,))
    store.write(item, Seeds(np.array([1], dtype=np.uint16), maps, (480, 640)))
    assert store.path(item).stat().st_size < maps.nbytes / 2
    np.testing.assert_array_equal(store.read(item).maps, maps)
    size = np.array([480, 640], dtype=np.int32)
    np.savez(store.path(item), classes=np.array([1], dtype=np.uint16), maps=maps, size=size)
    np.testing.assert_array_equal(store.read(item).maps, maps)


def test_a_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "folder" / "file.txt"
    with pytest.raises(KeyError), atomic(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise KeyError
    assert list(tmp_path.rglob("*.txt")) == []
    with atomic(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert [p.read_text() for p in path.parent.iterdir()] == ["whole"]


def test_two_writers_of_a_file_never_share_a_temporary_one(tmp_path):
    """As two containers of one process number on a folder of a network."""
    path = tmp_path / "file.txt"
    with atomic(path) as slow:
        slow.write_text("slow")
        with atomic(path) as fast:
            fast.write_text("fast")
        assert path.read_text() == "fast"
    assert [p.read_text() for p in tmp_path.iterdir()] == ["slow"]


def test_what_a_killed_writer_left_is_recognised(tmp_path):
    others = {"whole.txt", ".hidden", "a.tmp~b"}
    for name in others:
        (tmp_path / name).write_text("kept")
    folder = tmp_path / "folder"
    with pytest.raises(KeyError), atomic(folder / "file.txt") as temporary:  # noqa: PT012
        temporary.write_text("half")
        (folder / ".4711.tmp~of_an_earlier_version.txt").touch()
        remove_unfinished(tmp_path)
        assert not [*folder.iterdir()]
        raise KeyError
    assert {path.name for path in tmp_path.iterdir()} == {*others, "folder"}


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.id)
def test_seeds_and_masks_come_back_as_written(tmp_path, item):
    rng = np.random.default_rng(0)
    maps = rng.random((2, 5, 6)).astype(np.float16)
    seeds, masks = SeedStore(tmp_path / "seeds"), LabelStore(tmp_path / "masks")
    assert not seeds.has(item)
    seeds.write(item, Seeds(np.array([1, 3], dtype=np.uint16), maps, (20, 24)))
    read = seeds.read(item)
    np.testing.assert_array_equal(read.labels, [1, 3])
    np.testing.assert_array_equal(read.maps, maps)
    assert read.size == (20, 24)
    mask = rng.choice([0, 1, 3, 255], (20, 24)).astype(np.uint8)
    masks.write(item, mask)
    np.testing.assert_array_equal(masks.read(item), mask)
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == 2


def test_ids_do_not_collide_as_file_names(tmp_path):
    stems = {Item(name, ()).file_stem for name in ("a/b", "a_b", "a b", "A/b", "a%2Fb")}
    assert len(stems) == 5


def test_missing_results_name_their_file_and_stage(tmp_path):
    item = Item("img", ())
    with pytest.raises(WsssError, match=r"img\.npz.*stage `localize` first"):
        SeedStore(tmp_path).read(item)
    with pytest.raises(WsssError, match=r"img\.png.*stage `refine` first"):
        LabelStore(tmp_path).read(item)


def test_seeds_are_never_unpickled(tmp_path):
    item = Item("img", ())
    objects = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "img.npz", classes=objects, maps=objects, size=np.array([1, 1]))
    with pytest.raises(DamagedFileError, match="allow_pickle=False"):
        SeedStore(tmp_path).read(item)


def test_masks_have_the_colors_of_voc(tmp_path):
    # From the development kit: aeroplane, bicycle, …, tvmonitor, void.
    known = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 8: (64, 0, 0), 15: (192, 128, 128)}
    known |= {20: (0, 64, 128), 255: (224, 224, 192)}
    assert {label: tuple(voc_palette()[label].tolist()) for label in known} == known
    store, item = LabelStore(tmp_path), Item("img", ())
    store.write(item, np.array([[0, 1, 255]], dtype=np.uint8))
    with Image.open(store.path(item)) as picture:
        assert picture.mode == "P"
        colors = np.array(picture.convert("RGB"))
    assert colors.tolist() == [[[0, 0, 0], [128, 0, 0], [224, 224, 192]]]


@pytest.mark.parametrize(("side", "cells"), [(1, 1), (4, 1), (5, 2), (375, 94), (500, 125)])
def test_seeds_are_a_quarter_of_the_image_rounded_up(side, cells):
    assert seed_size(side, side) == (cells, cells)


def test_manifest_round_trip(tmp_path):
    manifest = Manifest("refine", "ab", {"a": [1]}, {"images": 2.0}, {"inputs": {"localize": "cd"}})
    assert Manifest.read(tmp_path) is None
    manifest.write(tmp_path)
    assert Manifest.read(tmp_path) == manifest
