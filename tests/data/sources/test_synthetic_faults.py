import pickle
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from itertools import product

import numpy as np
import pytest

from wsss.artifacts import fingerprint
from wsss.data.sample import Item
from wsss.data.source import SPLITS, TRAIN, VAL
from wsss.data.sources.synthetic import Faults, Planted, Synthetic
from wsss.data.sources.synthetic.alterations import stamp_box
from wsss.data.sources.synthetic.backdrops import BACKDROPS
from wsss.errors import WsssError
from wsss.settings.build import build
from wsss.settings.compose import compose

SMALL = {"num_train": 80, "num_val": 24, "size_px": 64, "context_bias": 0.0}
ALL = Faults(
    wrong_tags=0.1, missing_tags=0.4, corner_stamp=0.5, context_bias=0.9, duplicates=0.2
)  # fmt: skip
KINDS = ("wrong_tags", "missing_tags", "corner_stamp", "context_bias", "duplicates")


def with_faults(**faults: object) -> Synthetic:
    return Synthetic(**SMALL, faults=Faults(**faults))


def only(kind: str) -> Synthetic:
    return with_faults(**{kind: getattr(ALL, kind)})


def by_id(source: Synthetic) -> dict[str, Item]:
    return {item.id: item for split in SPLITS for item in source.items(split)}


def shown(source: Synthetic, item: Item) -> set[str]:
    """Names of the classes in the mask of an image."""
    return {source.class_names[label - 1] for label in np.unique(source.read_mask(item)) if label}


def tagged(source: Synthetic, item: Item) -> set[str]:
    return {source.class_names[label - 1] for label in item.labels}


@pytest.fixture(scope="module")
def clean() -> Synthetic:
    return Synthetic(**SMALL)


def test_without_faults_the_fingerprint_is_what_it_was_before_there_were_any() -> None:
    source = Synthetic()
    drawn = sha256()
    for item in source.items(TRAIN)[:8]:
        drawn.update(source.read_image(item).tobytes())
    assert source.planted() == []
    assert source.fingerprint(TRAIN) == fingerprint({
        "source": "synthetic", "drawn": drawn.hexdigest(), "split": "train", "num_items": 240,
        "size_px": 160, "context_bias": 0.5, "max_objects": 3, "seed": 0,
    })  # fmt: skip
    assert source.fingerprint(TRAIN) == Synthetic(faults=Faults(seed=5)).fingerprint(TRAIN)


def test_a_wrong_tag_is_a_class_that_is_not_there_in_place_of_one_that_is(clean) -> None:
    source = only("wrong_tags")
    planted = {one.image: one for one in source.planted()}
    assert len(planted) == 8 == len(source.planted())
    for name, item in by_id(source).items():
        there, said = shown(source, item), tagged(source, item)
        if one := planted.get(name):
            assert item.id.startswith("train_")
            assert (said - there, there - said) == ({one.label}, {one.other})
        else:
            assert said == there
    assert_same_pictures(source, clean)


def test_a_missing_tag_is_one_of_several(clean) -> None:
    source = only("missing_tags")
    several = [item for item in clean.items(TRAIN) if len(item.labels) > 1]
    planted = {one.image: one for one in source.planted()}
    assert len(planted) == round(0.4 * len(several)) == len(source.planted())
    for name, item in by_id(source).items():
        missing = {planted[name].label} if name in planted else set()
        assert shown(source, item) - tagged(source, item) == missing
        assert not tagged(source, item) - shown(source, item)
        assert item.labels
    assert_same_pictures(source, clean)


def test_a_stamp_changes_its_corner_alone_in_a_share_of_a_class(clean) -> None:
    source = with_faults(corner_stamp=0.5, stamp_class="house")
    planted = {one.image for one in source.planted()}
    house = source.class_names.index("house") + 1
    for split in SPLITS:
        bearers = {item.id for item in clean.items(split) if house in item.labels}
        own = {name for name in planted if name.startswith(split)}
        assert own <= bearers
        assert len(own) == round(0.5 * len(bearers)) > 0
    for split in SPLITS:
        assert source.items(split) == clean.items(split)
    for name, item in by_id(source).items():
        image, without = source.read_image(item), clean.read_image(item)
        np.testing.assert_array_equal(source.read_mask(item), clean.read_mask(item))
        left, top, right, bottom = stamp_box(*image.shape[:2])
        inside = np.zeros(image.shape[:2], dtype=bool)
        inside[top:bottom, left:right] = name in planted
        changed = (image != without).any(axis=2)
        assert not changed[~inside].any()
        assert (not inside.any()) or changed[inside].mean() > 0.9


def test_the_watermark_is_small_and_at_the_same_place_whatever_the_image() -> None:
    for height, width in ((64, 64), (192, 128), (128, 192), (375, 500)):
        left, top, right, bottom = stamp_box(height, width)
        assert 0 < left < right < width
        assert 0 < top < bottom < height
        assert (right - left) * (bottom - top) < 0.04 * height * width
        assert left > width / 2
        assert top > height / 2


def test_the_place_tells_of_one_class_and_of_no_other(clean) -> None:
    source = with_faults(context_bias=1.0, context_class="cactus")
    assert source.planted() == [Planted("context_bias", None, "cactus", "desert")]
    label = source.class_names.index("cactus") + 1
    places: Counter[str] = Counter()
    for item in by_id(source).values():
        scene = source.scene(item.id)
        assert (BACKDROPS[scene.backdrop].name == "desert") == (label in item.labels)
        places[BACKDROPS[scene.backdrop].name] += label not in item.labels
        for one in scene.placements:  # Nothing is hidden by the place it is moved to.
            nearest = min(
                one.shape.body_colors, key=lambda c: np.abs(np.subtract(c, one.color)).sum()
            )
            assert nearest not in BACKDROPS[scene.backdrop].hides
        np.testing.assert_array_equal(source.read_mask(item), clean.read_mask(item))
    assert places["desert"] == 0
    assert min(places[one.name] for one in BACKDROPS if one.name != "desert") > 0
    for split in SPLITS:
        assert source.items(split) == clean.items(split)


def test_the_place_tells_as_often_as_is_asked_for() -> None:
    source = Synthetic(num_train=400, size_px=64, context_bias=0.0, faults=Faults(context_bias=0.7))
    at_home = [
        BACKDROPS[source.scene(item.id).backdrop].name == "desert"
        for item in source.items(TRAIN)
        if 2 in item.labels
    ]
    expected = 0.7 + 0.3 / 8
    deviation = (expected * (1 - expected) / len(at_home)) ** 0.5
    assert np.mean(at_home) == pytest.approx(expected, abs=4 * deviation)


def crops(picture: np.ndarray, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """All parts of a picture of a size that lack 1 to 4 pixels on each side."""
    for top, left in product(range(1, 5), repeat=2):
        rows, columns = (picture.shape[0] - top - shape[0], picture.shape[1] - left - shape[1])
        if 1 <= rows <= 4 and 1 <= columns <= 4:
            yield picture[top : top + shape[0], left : left + shape[1]]


def test_near_copies_are_crops_of_other_images_some_with_other_tags(clean) -> None:
    source, names = only("duplicates"), by_id(only("duplicates"))
    planted = source.planted()
    assert [len(source.items(split)) for split in SPLITS] == [88, 32]
    for split in SPLITS:
        assert source.items(split)[: len(clean.items(split))] == clean.items(split)
    assert len({one.other for one in planted}) == len(planted) == 16
    assert {one.image for one in planted} == names.keys() - by_id(clean).keys()
    assert {one.other for one in planted} <= {item.id for item in clean.items(TRAIN)}
    for split in SPLITS:
        differ = [one.label is not None for one in planted if one.image.startswith(split)]
        assert sum(differ) == len(differ) / 2
    for one in planted:
        copy, original = names[one.image], names[one.other]
        differing = tagged(source, copy) ^ tagged(source, original)
        assert (one.label in differing) if one.label else not differing
        assert len(differing) <= 2
        assert copy.labels
        mask = source.read_mask(copy)
        image, whole = source.read_image(copy), source.read_image(original)
        assert image.shape == (*mask.shape, 3)
        assert image.dtype == np.uint8
        both = np.dstack([whole, source.read_mask(original)]).astype(float)
        likeness = [
            np.corrcoef(part[..., :3].ravel(), image.ravel())[0, 1]
            for part in crops(both, mask.shape)
            if (part[..., 3] == mask).all()
        ]
        assert max(likeness) > 0.93
    # Two images of the set are nothing like that.
    first, second = (source.read_image(item) for item in source.items(TRAIN)[:2])
    height, width = np.minimum(first.shape[:2], second.shape[:2])
    pair = [picture[:height, :width].ravel() for picture in (first, second)]
    assert np.corrcoef(*pair)[0, 1] < 0.7


def assert_same_pictures(source: Synthetic, other: Synthetic) -> None:
    assert by_id(source).keys() == by_id(other).keys()
    for item in by_id(source).values():
        np.testing.assert_array_equal(source.read_image(item), other.read_image(item))
        np.testing.assert_array_equal(source.read_mask(item), other.read_mask(item))


def test_each_kind_is_planted_alike_alone_and_with_all_others() -> None:
    together = Synthetic(**SMALL, faults=ALL)
    alone = [one for kind in KINDS for one in only(kind).planted()]
    assert together.planted() == alone
    assert Counter(one.kind for one in alone).keys() == {*KINDS}
    without = Synthetic(**SMALL, faults=replace(ALL, duplicates=0.0))
    for split in SPLITS:
        assert together.items(split)[: len(without.items(split))] == without.items(split)


def test_both_faults_of_a_tag_may_meet_in_an_image() -> None:
    source = with_faults(wrong_tags=1.0, missing_tags=1.0)
    several = {one.image for one in source.planted() if one.kind == "missing_tags"}
    wrong = {one.image: one for one in source.planted() if one.kind == "wrong_tags"}
    assert several
    assert several < wrong.keys()
    for item in source.items(TRAIN):
        assert wrong[item.id].label in tagged(source, item)
        assert wrong[item.id].other not in tagged(source, item)


def test_a_greater_share_holds_what_a_smaller_one_plants() -> None:
    for kind in ("wrong_tags", "missing_tags", "corner_stamp"):
        less, more = ({*with_faults(**{kind: share}).planted()} for share in (0.2, 0.5))
        assert less < more


def test_a_seed_of_its_own_plants_elsewhere_in_the_same_images(clean) -> None:
    same, other = (Synthetic(**SMALL, faults=replace(ALL, seed=seed)) for seed in (0, 1))
    assert same.planted() == Synthetic(**SMALL, faults=ALL).planted()
    assert same.fingerprint(TRAIN) == Synthetic(**SMALL, faults=ALL).fingerprint(TRAIN)
    assert other.planted() != same.planted()
    source = with_faults(wrong_tags=0.1, seed=7)
    assert_same_pictures(source, clean)
    reseeded = Synthetic(**SMALL, seed=1, faults=Faults(wrong_tags=0.1))
    assert reseeded.planted() != only("wrong_tags").planted()


def test_every_fault_is_in_the_fingerprint(clean) -> None:
    sources = [clean, *map(only, KINDS)]
    sources += [with_faults(corner_stamp=0.5, stamp_class="mug"), with_faults(wrong_tags=0.2)]
    assert len({source.fingerprint(TRAIN) for source in sources}) == len(sources)
    for split in SPLITS:
        assert only("duplicates").fingerprint(split) != clean.fingerprint(split)
        assert only("duplicates").mask_fingerprint(split) != clean.mask_fingerprint(split)
        assert only("duplicates").fingerprint(split) == only("duplicates").fingerprint(split)


@pytest.mark.parametrize("asked", [False, True])
def test_a_process_of_its_own_sees_the_same(asked: bool) -> None:
    source = Synthetic(**SMALL, faults=ALL)
    if asked:
        source.items(TRAIN)
    sent = pickle.loads(pickle.dumps(source))
    assert sent.planted() == source.planted()
    assert [sent.items(split) for split in SPLITS] == [source.items(split) for split in SPLITS]
    item = source.items(VAL)[-1]
    np.testing.assert_array_equal(sent.read_image(item), source.read_image(item))


@pytest.mark.parametrize(
    ("words", "where", "expected"),
    [
        (["data.faults.wrong_tags=1.5"], "data.faults.wrong_tags", "a number from 0 to 1"),
        (["data.faults.duplicates=-0.1"], "data.faults.duplicates", "a number from 0 to 1"),
        (["data.faults.stamp_class=zebra"], "data.faults.stamp_class", "one of 'boat', 'cactus'"),
        (["data.faults.context_class=zebra"], "data.faults.context_class", "one of 'boat'"),
        (["data.faults.seed=-1"], "data.faults.seed", "a whole number, 0 or more"),
        (
            ["data.faults.missing_tags=0.1", "+data.max_objects=1"],
            "data.faults.missing_tags=0.1",
            "no image has several, since max_objects=1",
        ),
    ],
)  # fmt: skip
def test_impossible_settings_are_told_by_their_names(words, where, expected) -> None:
    with pytest.raises(WsssError) as caught:
        build(compose("run", words).data)
    assert str(caught.value).startswith(where)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("data.faults.wrong_tag=0.1", "wrong_tags"),
        ("data.faults.wrong_tags=many", "a number"),
        ("data.faults.stamp_class=3", "a word"),
    ],
)
def test_mistyped_settings_are_told_before_anything_is_built(word: str, told: str) -> None:
    with pytest.raises(WsssError, match=told):
        compose("run", [word])


def test_settings_reach_the_data_set() -> None:
    words = ["data.faults.corner_stamp=0.5", "data.faults.stamp_class=mug", "data.num_train=8"]
    source = build(compose("run", words).data)
    assert (
        source.planted()
        == Synthetic(num_train=8, faults=Faults(corner_stamp=0.5, stamp_class="mug")).planted()
    )
    assert build(compose("run", []).data).fingerprint(VAL) == Synthetic().fingerprint(VAL)
