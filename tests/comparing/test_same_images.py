import numpy as np
import pytest

from wsss.artifacts import LabelStore, Manifest
from wsss.comparing.compared_run import ComparedRun
from wsss.comparing.same_images import difference, results_side_by_side
from wsss.data.sources.folder import Folder


def test_the_difference_is_the_mean_over_pairs():
    masks = [np.array([[0, 0, 1, 1]], np.uint8), np.array([[0, 0, 1, 2]], np.uint8)]
    assert difference(masks) == 0.25
    assert difference([*masks, masks[0]]) == pytest.approx((0.25 + 0 + 0.25) / 3)


@pytest.fixture
def source(write_folder):
    return Folder(str(write_folder(size=(32, 48))))


def runs_with(source, tmp_path, changed):
    """Three runs, of which the second shares the first's masks and the third changes some."""
    runs = []
    for name, key in (("0", "a"), ("1", "a"), ("2", "b")):
        folder = tmp_path / "refine" / key
        store = LabelStore(folder / "masks")
        for item in source.items("train"):
            mask = np.zeros((32, 48), np.uint8)
            if key == "b" and item.id in changed:
                mask[: changed[item.id]] = 1
            store.write(item, mask)
        manifests = {"refine": Manifest("refine", key, {}, {})}
        runs.append(ComparedRun(name, {"k": key}, folders={"refine": folder}, manifests=manifests))
    return runs


def test_images_that_differ_most_come_first_and_shared_results_once(source, tmp_path):
    ids = [item.id for item in source.items("train")]
    runs = runs_with(source, tmp_path, {ids[3]: 16, ids[5]: 32})
    shown = results_side_by_side(source, runs, count=4, height_px=24)
    assert [*shown] == ["Pseudo masks"]
    images = shown["Pseudo masks"]
    assert [image.item_id for image in images[:2]] == [ids[5], ids[3]]
    assert [image.difference for image in images[:2]] == [1.0, 0.5]
    assert len(images) == 4
    assert len({image.item_id for image in images}) == 4
    captions = [(panel.title, panel.note) for panel in images[0].panels]
    assert captions == [("image", ""), ("0, 1", "k=a"), ("2", "k=b")]
    assert {panel.picture.shape for panel in images[0].panels} == {(24, 36, 3)}


def test_images_without_a_result_in_every_run_are_left_out(source, tmp_path):
    runs = runs_with(source, tmp_path, {})
    first, *others = source.items("train")
    LabelStore(tmp_path / "refine" / "b" / "masks").path(first).unlink()
    images = results_side_by_side(source, runs, count=100, height_px=24)["Pseudo masks"]
    assert {image.item_id for image in images} == {item.id for item in others}
