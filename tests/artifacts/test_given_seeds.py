"""Seeds of other programs, as their published code writes them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from wsss.artifacts import Seeds, SeedStore
from wsss.artifacts.given_seeds import check_labels, read_given_seeds
from wsss.data.sample import Item
from wsss.errors import WsssError

SIZE = (50, 38)
QUARTER = (13, 10)
NAMES = ("cat", "dog", "cow")


def irn(path, maps, label, **changes):
    """As step/make_cam.py of IRN writes its seeds: keys and maps are tensors, `high_res` is not."""
    keys = torch.nonzero(torch.tensor(label))[:, 0]
    strided = maps[keys]
    strided = strided / (F.adaptive_max_pool2d(strided, (1, 1)) + 1e-5)
    high = F.interpolate(maps[None], SIZE, mode="bilinear", align_corners=False)[0][keys]
    high = high / (F.adaptive_max_pool2d(high, (1, 1)) + 1e-5)
    content = {"keys": keys, "cam": strided.cpu(), "high_res": high.cpu().numpy()}
    np.save(path, {key: one for key, one in (content | changes).items() if one is not None})
    return strided.numpy()


@pytest.fixture
def maps():
    return torch.rand(3, *QUARTER, generator=torch.Generator().manual_seed(0))


def test_irns_seeds_are_read_at_a_quarter_of_the_size(tmp_path, maps):
    expected = irn(tmp_path / "a.npy", maps, [1.0, 0, 1])
    seeds = read_given_seeds(tmp_path / "a.npy", SIZE)
    assert seeds.size == SIZE
    assert seeds.labels.dtype == np.uint16
    assert seeds.labels.tolist() == [1, 3]
    assert seeds.maps.dtype == np.float16
    np.testing.assert_array_equal(seeds.maps, expected.astype(np.float16))


def test_our_own_seeds_are_read_as_they_are(tmp_path):
    own = Seeds(
        np.array([2, 3], np.uint16),
        np.random.default_rng(0).random((2, *QUARTER)).astype("f2"),
        SIZE,
    )
    SeedStore(tmp_path).write(Item("a", (2, 3)), own)
    seeds = read_given_seeds(tmp_path / "a.npz", SIZE)
    np.testing.assert_array_equal(seeds.labels, own.labels)
    np.testing.assert_array_equal(seeds.maps, own.maps)


def test_keys_in_another_order_and_arrays_of_numpy(tmp_path, maps):
    irn(tmp_path / "a.npy", maps, [1.0, 0, 1], keys=np.array([2, 0]), cam=maps[[2, 0]].numpy())
    seeds = read_given_seeds(tmp_path / "a.npy", SIZE)
    assert seeds.labels.tolist() == [1, 3]
    np.testing.assert_array_equal(seeds.maps, maps[[0, 2]].half().numpy())


def test_without_quarter_maps_those_of_the_whole_size_are_reduced_by_area(tmp_path):
    blocks = np.kron(np.arange(16).reshape(1, 4, 4) / 16, np.ones((4, 4))).astype(np.float32)
    np.save(tmp_path / "a.npy", {"keys": np.array([1]), "high_res": blocks})
    seeds = read_given_seeds(tmp_path / "a.npy", (16, 16))
    np.testing.assert_allclose(seeds.maps[0], np.arange(16).reshape(4, 4) / 16, atol=1e-3)


def test_maps_of_a_stride_of_16_are_enlarged(tmp_path):
    np.save(tmp_path / "a.npy", {"keys": np.array([0]), "cam": np.full((1, 4, 3), 0.5)})
    seeds = read_given_seeds(tmp_path / "a.npy", SIZE)
    assert seeds.maps.shape == (1, *QUARTER)
    assert (seeds.maps == 0.5).all()


def test_images_without_tags_have_no_maps(tmp_path):
    none = torch.zeros(0, dtype=torch.int64)
    np.save(tmp_path / "a.npy", {"keys": none, "cam": torch.zeros(0, *QUARTER)})
    assert read_given_seeds(tmp_path / "a.npy", SIZE).maps.shape == (0, *QUARTER)
    np.save(tmp_path / "b.npy", {"keys": np.array([]), "cam": np.array([])})
    assert read_given_seeds(tmp_path / "b.npy", SIZE).maps.shape == (0, *QUARTER)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cam": torch.full((2, *QUARTER), 7.5)}, "values from 7.5 to 7.5. Expected .* in"),
        ({"cam": torch.full((2, *QUARTER), -0.25)}, "values from -0.25 to -0.25"),
        ({"cam": torch.full((2, *QUARTER), float("nan"))}, "values from nan to nan"),
        ({"cam": torch.full((2, *QUARTER), float("inf"))}, "values from inf to inf"),
        ({"cam": torch.zeros(2, *QUARTER[::-1])}, r"maps of 13 × 10 for an image of 38 × 50 px"),
        ({"cam": torch.zeros(3, *QUARTER)}, r"shape \[3, 13, 10\] for keys of shape \[2\]"),
        ({"cam": torch.zeros(2, *QUARTER, dtype=torch.uint8)}, "uint8 maps"),
        ({"keys": np.array([1, 1])}, "for n different keys"),
        ({"keys": None}, "arrays called cam, high_res"),
        ({"keys": np.array(["cat", "cow"])}, "classes of the type <U3. Expected whole numbers"),
        ({"keys": np.array([0.0, 2.0])}, "classes of the type float64"),
        (
            {"keys": np.array([-1, 2])},
            "classes from -1 to 2. Expected whole numbers, 0 for the first class",
        ),
        ({"keys": np.array([2, 65536])}, "classes from 2 to 65536"),
        ({"cam": None, "high_res": None}, "arrays called keys"),
    ],
)
def test_what_is_no_seeds_is_told_with_what_came(tmp_path, maps, changes, said):
    irn(tmp_path / "a.npy", maps, [1.0, 0, 1], **changes)
    with pytest.raises(WsssError, match=rf"a\.npy: .*{said}"):
        read_given_seeds(tmp_path / "a.npy", SIZE)


def test_a_damaged_file_is_told(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 half")
    with pytest.raises(WsssError, match=r"a\.npz: it cannot be read"):
        read_given_seeds(tmp_path / "a.npz", SIZE)
    np.savez(tmp_path / "b.npz", cams=np.zeros(2))
    with pytest.raises(WsssError, match=r"b\.npz: arrays called cams"):
        read_given_seeds(tmp_path / "b.npz", SIZE)


@pytest.mark.parametrize(
    ("tags", "extra", "said"),
    [
        ((1, 3), False, None),
        ((1,), True, None),
        (
            (1,),
            False,
            r"maps of cat, cow for an image tagged with cat\. Expected .* no other class",
        ),
        ((1, 2), True, r"maps of cat, cow for an image tagged with cat, dog"),
        ((), False, "tagged with nothing"),
    ],
)
def test_seeds_are_compared_with_tags(tmp_path, tags, extra, said):
    seeds = Seeds(np.array([1, 3], np.uint16), np.zeros((2, 1, 1), np.float16), (1, 1))
    if said is None:
        check_labels(tmp_path, seeds, tags, NAMES, extra)
        return
    with pytest.raises(WsssError, match=said):
        check_labels(tmp_path, seeds, tags, NAMES, extra)
