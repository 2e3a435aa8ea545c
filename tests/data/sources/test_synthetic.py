import pickle

import numpy as np
import pytest

from wsss.data.sample import Item
from wsss.data.source import SPLITS, TRAIN, VAL
from wsss.data.sources.synthetic.backdrops import BACKDROPS
from wsss.data.sources.synthetic.scene import (
    MIN_VISIBLE_AREA,
    Placement,
    Scene,
    draw_image,
    draw_mask,
)
from wsss.data.sources.synthetic.shapes import BODY_COLORS, SHAPES, Patch, Shape, box
from wsss.data.sources.synthetic.synthetic import Synthetic
from wsss.errors import WsssError

SMALL = {"num_train": 24, "num_val": 16, "size_px": 80}


@pytest.fixture(scope="module")
def source() -> Synthetic:
    return Synthetic(**SMALL)


def backdrops_of_first_objects(context_bias: float) -> list[tuple[int, int]]:
    """Backdrop and label of the first object, for many images."""
    source = Synthetic(num_train=400, size_px=64, max_objects=1, context_bias=context_bias)
    return [(source.scene(i.id).backdrop, i.labels[0] - 1) for i in source.items(TRAIN)]


def test_counts_and_ids(source: Synthetic) -> None:
    assert [len(source.items(split)) for split in SPLITS] == [24, 16]
    assert source.items(TRAIN)[7].id == "train_0007"
    ids = [item.id for split in SPLITS for item in source.items(split)]
    assert len(set(ids)) == len(ids)


def test_shapes_and_types(source: Synthetic) -> None:
    sizes = set()
    for item in source.items(TRAIN):
        image, mask = source.read_image(item), source.read_mask(item)
        assert image.dtype == mask.dtype == np.uint8
        assert image.shape == (*mask.shape, 3)
        assert image.std() > 10
        sizes.add(mask.shape)
    assert sizes == {(80, 80), (64, 96), (96, 64)}


@pytest.mark.parametrize("split", SPLITS)
def test_tags_are_what_the_mask_shows(source: Synthetic, split: str) -> None:
    for item in source.items(split):
        labels, areas = np.unique(source.read_mask(item), return_counts=True)
        assert tuple(labels[labels > 0].tolist()) == item.labels
        assert areas[labels > 0].min() > 0.75 * MIN_VISIBLE_AREA * areas.sum()
        assert np.flatnonzero(source.tags(item)).tolist() == [label - 1 for label in item.labels]


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("seed", range(3))
def test_every_class_occurs_in_every_split(split: str, seed: int) -> None:
    source = Synthetic(num_train=8, num_val=8, size_px=64, max_objects=1, seed=seed)
    assert sorted(item.labels for item in source.items(split)) == [(i,) for i in range(1, 9)]


def test_number_of_objects_is_bounded() -> None:
    source = Synthetic(num_train=60, size_px=64, max_objects=2)
    counts = {len(item.labels) for item in source.items(TRAIN)}
    assert counts == {1, 2}


def test_an_image_depends_on_nothing_but_parameters_split_and_index(source: Synthetic) -> None:
    items = source.items(TRAIN)
    expected = [(source.read_image(item), source.read_mask(item)) for item in items]
    others = [
        Synthetic(**SMALL),
        pickle.loads(pickle.dumps(source)),
        Synthetic(**{**SMALL, "num_train": 1000}),
    ]
    for other in others:
        for index in reversed(range(len(items))):
            item = Item(items[index].id, items[index].labels)
            np.testing.assert_array_equal(other.read_mask(item), expected[index][1])
            np.testing.assert_array_equal(other.read_image(item), expected[index][0])
    assert others[0].items(TRAIN) == items


def test_seeds_and_splits_differ(source: Synthetic) -> None:
    reseeded = Synthetic(**SMALL, seed=1)
    train, val = source.items(TRAIN)[0], source.items(VAL)[0]
    images = [source.read_image(train), source.read_image(val), reseeded.read_image(train)]
    assert len({image.tobytes() for image in images}) == 3


def test_context_bias_one_shows_the_place_of_the_first_object() -> None:
    assert all(backdrop == first for backdrop, first in backdrops_of_first_objects(1.0))


@pytest.mark.parametrize("context_bias", [0.0, 0.5])
def test_context_bias_is_a_mixture_with_independent_places(context_bias: float) -> None:
    pairs = backdrops_of_first_objects(context_bias)
    expected = context_bias + (1 - context_bias) / len(SHAPES)
    share = np.mean([backdrop == first for backdrop, first in pairs])
    assert share == pytest.approx(expected, abs=4 * (expected * (1 - expected) / 400) ** 0.5)


def test_every_class_has_a_colour_that_is_seen_in_every_place() -> None:
    for shape in SHAPES:
        assert all(set(shape.body_colors) - set(backdrop.hides) for backdrop in BACKDROPS)


def test_the_mask_is_that_of_the_geometry() -> None:
    square = Shape("square", BODY_COLORS, (Patch(box(-100, -100, 100, 100)),))
    back = Placement(square, 1, BODY_COLORS[0], (20.0, 20.0), 10.0, 1.0, 0.0, mirrored=False)
    front = Placement(square, 2, BODY_COLORS[1], (30.0, 20.0), 10.0, 1.0, 90.0, mirrored=True)
    clutter = Placement(square, 0, BODY_COLORS[2], (50.0, 50.0), 6.0, 1.0, 0.0, mirrored=False)
    expected = np.zeros((64, 64), dtype=np.uint8)
    expected[10:30, 10:30] = 1
    expected[10:30, 20:40] = 2
    scene = Scene(64, 64, 0, (clutter, back, front))
    np.testing.assert_array_equal(draw_mask(scene), expected)
    assert scene.labels == (1, 2)


def test_an_object_changes_the_picture_inside_its_mask_only() -> None:
    shape = SHAPES[0]
    placement = Placement(shape, 1, BODY_COLORS[0], (40.0, 40.0), 25.0, 1.1, 20.0, mirrored=True)
    scene, empty = Scene(80, 80, 4, (placement,)), Scene(80, 80, 4, ())
    with_object, without = (draw_image(s, np.random.default_rng(0)) for s in (scene, empty))
    inside = draw_mask(scene) > 0
    changed = (with_object != without).any(axis=2)
    assert changed[inside].mean() > 0.95
    # Antialiased pixels on the border change although they are covered by less than half.
    border = np.zeros_like(inside)
    border[1:] |= inside[:-1]
    border[:-1] |= inside[1:]
    border[:, 1:] |= inside[:, :-1]
    border[:, :-1] |= inside[:, 1:]
    assert not changed[~inside & ~border].any()


def test_fingerprints_follow_what_is_drawn(source: Synthetic) -> None:
    assert source.fingerprint(TRAIN) == Synthetic(**SMALL).fingerprint(TRAIN)
    assert source.fingerprint(TRAIN) == Synthetic(**{**SMALL, "num_val": 99}).fingerprint(TRAIN)
    variants = [{"seed": 1}, {"num_train": 25}, {"size_px": 81}, {"context_bias": 0.1}]
    fingerprints = {Synthetic(**{**SMALL, **variant}).fingerprint(TRAIN) for variant in variants}
    fingerprints |= {source.fingerprint(TRAIN), source.fingerprint(VAL)}
    fingerprints |= {source.mask_fingerprint(TRAIN), source.mask_fingerprint(VAL)}
    assert len(fingerprints) == 8


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("num_train", 0),
        ("num_val", -1),
        ("size_px", 63),
        ("context_bias", 1.01),
        ("context_bias", -0.01),
        ("context_bias", float("nan")),
        ("max_objects", 0),
        ("seed", -1),
    ],
)
def test_bad_parameters_are_user_errors(parameter: str, value: float) -> None:
    with pytest.raises(WsssError, match=f"^{parameter}={value}: "):
        Synthetic(**{parameter: value})


def test_nothing_is_wrong(source: Synthetic) -> None:
    assert source.inspect() == ()
