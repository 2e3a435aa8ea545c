"""Near-duplicates and stamps, planted in drawn pictures of several sizes."""

import cv2
import numpy as np
import pytest
from scipy.stats import fisher_exact

from wsss.auditing.checks.fixed_position import fixed_positions
from wsss.auditing.checks.near_duplicate import SAME, alike, near_duplicates
from wsss.auditing.checks.shared_part import shared_parts
from wsss.auditing.checks.stamp import Parts
from wsss.auditing.looks import look_at

NAMES = ("cat", "dog")


def picture(seed, height=150, width=200):
    """Smooth blots of colour at places of their own: no two are alike."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.normal(size=(height, width, 3)), (0, 0), 10)
    return np.clip(128 + 50 * noise / noise.std(), 0, 255).astype(np.uint8)


def copy_of(image):
    """Cropped by some pixels, darker, and through JPEG."""
    part = (image[3:-4, 2:-3] * 0.9).astype(np.uint8)
    _, content = cv2.imencode(".jpg", part, [cv2.IMWRITE_JPEG_QUALITY, 70])
    return cv2.imdecode(content, cv2.IMREAD_COLOR)


def test_only_pairs_with_other_tags_or_across_splits_are_flagged():
    images = [picture(seed) for seed in range(20)]
    images += [copy_of(images[place]) for place in (0, 1, 2)]
    pairs = alike(np.stack([look_at(one).thumbnail for one in images]))
    same = {(one.first, one.second) for one in pairs if one.correlation >= SAME}
    assert same == {(0, 20), (1, 21), (2, 22)}
    ids = [f"{row:02d}" for row in range(23)]
    splits = ["train"] * 22 + ["val"]
    tags = np.zeros((23, 2), dtype=bool)
    tags[21, 1] = True
    found = near_duplicates(pairs, ids, splits, NAMES, tags, 3)
    flagged = [one for one in found.findings if one.flagged]
    assert {(one.image, one.other) for one in flagged} == {("01", "21"), ("02", "22")}
    by_image = {one.image: one.evidence for one in flagged}
    assert by_image["01"]["different_tags"] == 1
    assert by_image["02"]["across_splits"] == 1
    assert found.findings[0].flagged


def stamped(image, box, seed=99):
    """The image with a plate of noise at a box `top, left, bottom, right`."""
    top, left, bottom, right = box
    noise = np.random.default_rng(seed).integers(0, 2, (bottom - top, right - left)) * 200
    noise = cv2.blur(noise.astype(np.uint8), (5, 5))
    result = image.copy()
    result[top:bottom, left:right] = noise[..., None]
    return result


def examined(images, tags, groups=None):
    looks = [look_at(one) for one in images]
    count = len(images)
    return fixed_positions(
        Parts(np.stack([one.parts for one in looks]), np.array([one.size for one in looks])),
        np.arange(count) if groups is None else groups,
        [f"{row:02d}" for row in range(count)],
        ["train"] * count,
        NAMES,
        tags,
        3,
    )


@pytest.fixture
def tags():
    found = np.zeros((40, 2), dtype=bool)
    found[:20, 0], found[20:, 1] = True, True
    return found


def sizes(row):
    return (150 + 7 * row, 1300 - 20 * row) if row % 2 else (300 + 3 * row, 220 + row)


def corner(image):
    height, width = image.shape[:2]
    return height - 40, width - 80, height - 10, width - 10


def test_a_stamp_at_a_fixed_distance_from_a_corner_is_found_in_images_of_all_sizes(tags):
    images = [picture(row, *sizes(row)) for row in range(40)]
    bearers = range(0, 20, 2)
    for row in bearers:
        images[row] = stamped(images[row], corner(images[row]))
    found = examined(images, tags)
    flagged = [one for one in found.findings if one.flagged]
    assert {one.image for one in flagged} == {f"{row:02d}" for row in bearers}
    assert {one.label for one in flagged} == {"cat"}
    for one in flagged:
        top, left, bottom, right = corner(images[int(one.image)])
        box = [one.evidence[name] for name in ("top_px", "left_px", "bottom_px", "right_px")]
        np.testing.assert_allclose(box, (top, left, bottom, right), atol=12)


@pytest.mark.parametrize("grows", [False, True])
def test_stamps_of_large_images_are_found(grows):
    """Also where the watermark is as large a part of every image."""
    tags = np.zeros((16, 2), dtype=bool)
    tags[:8, 0], tags[8:, 1] = True, True
    images = []
    for row in range(16):
        scale = 1 + row % 4 / 4
        height, width = round(900 * scale), round(1200 * scale)
        image = picture(row, 225, 300)
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
        if row < 6:
            noise = np.random.default_rng(99).integers(0, 2, (6, 16)).astype(np.uint8) * 200
            side = (round(320 * scale), round(120 * scale)) if grows else (128, 48)
            plate = cv2.resize(noise, side, interpolation=cv2.INTER_NEAREST)
            image[-plate.shape[0] :, -plate.shape[1] :] = plate[..., None]
        images.append(image)
    found = examined(images, tags)
    flagged = [one for one in found.findings if one.flagged]
    assert {one.image for one in flagged} == {f"{row:02d}" for row in range(6)}
    height, width = images[0].shape[:2]
    first = next(one.evidence for one in flagged if one.image == "00")
    expected = (height - 120, width - 320) if grows else (height - 48, width - 128)
    np.testing.assert_allclose((first["top_px"], first["left_px"]), expected, atol=30)


def test_what_all_classes_bear_is_no_stamp(tags):
    images = [picture(row) for row in range(40)]
    bars = [stamped(one, (120, 0, 150, 200)) for one in images]
    assert not examined(bars, tags).flagged
    assert not examined(images, tags).flagged


def test_copies_of_one_picture_are_no_stamp(tags):
    images = [picture(row) for row in range(40)]
    images[:8] = [stamped(picture(0), (110, 120, 140, 190)) for _ in range(8)]
    assert not examined(images, tags, np.array([0] * 8 + [*range(1, 33)])).flagged


def test_the_chance_of_a_stamp_is_that_of_fishers_exact_test(tags):
    images = [picture(row) for row in range(40)]
    for row in range(6):
        images[row] = stamped(images[row], (110, 120, 140, 190))
    looks = [look_at(one) for one in images]
    parts = Parts(np.stack([one.parts for one in looks]), np.array([one.size for one in looks]))
    found = shared_parts(parts, tags[:, 0], np.ones(40, dtype=bool))
    _, expected = fisher_exact([[6, 14], [0, 20]], alternative="greater")
    assert [one.chance for one in found] == [pytest.approx(expected)]
