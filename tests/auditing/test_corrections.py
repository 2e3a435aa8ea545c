"""Tags after a person has agreed with a finding."""

import pytest

from wsss.auditing.corrections import corrections
from wsss.auditing.finding import Finding


def applied(tags, change):
    """The tags after a correction."""
    after = {image: set(own) for image, own in tags.items()}
    for image, (added, removed) in change.tags.items():
        assert not after[image] & set(added)
        assert after[image] >= set(removed)
        after[image] = after[image] - set(removed) | set(added)
    return after


def finding(kind, image=None, label=None, other=None):
    return Finding(kind, 0.5, True, "Look.", image, "train", label, other)


def test_a_wrong_tag_is_removed():
    tags = {"a": ("cat", "dog")}
    (change,) = corrections(finding("wrong_tag", "a", "dog"), tags)
    assert applied(tags, change) == {"a": {"cat"}}
    assert change.text == "the tag dog is removed"


def test_a_missing_tag_is_added():
    tags = {"a": ()}
    (change,) = corrections(finding("missing_tag", "a", "dog"), tags)
    assert applied(tags, change) == {"a": {"dog"}}


def test_near_duplicates_get_equal_tags():
    tags = {"a": ("cat", "dog"), "b": ("dog", "sofa")}
    found = corrections(finding("near_duplicate", "a", other="b"), tags)
    assert [applied(tags, one) for one in found] == [
        {"a": {"cat", "dog", "sofa"}, "b": {"cat", "dog", "sofa"}},
        {"a": {"cat", "dog"}, "b": {"cat", "dog"}},
        {"a": {"dog", "sofa"}, "b": {"dog", "sofa"}},
    ]


def test_near_duplicates_with_equal_tags_stay():
    tags = {"a": ("cat", "dog"), "b": ("dog", "cat")}
    assert corrections(finding("near_duplicate", "a", other="b"), tags) == []


@pytest.mark.parametrize(
    "one",
    [
        finding("inseparable_classes", None, "cat", "dog"),
        finding("background_evidence", None, "cat"),
        finding("fixed_position", "a", "cat"),
        finding("wrong_tag", "gone", "cat"),
        finding("near_duplicate", "a", other="gone"),
    ],
)
def test_no_tag_mends_the_others_and_those_whose_image_is_gone(one):
    assert corrections(one, {"a": ("cat",)}) == []
