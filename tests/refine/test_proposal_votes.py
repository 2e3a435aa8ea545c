"""The vote of a mask's pixels on proposals, beside a loop over pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wsss.errors import WsssError
from wsss.refine import ProposalVotes

VOID = 255
LABELS = (0, 1, 2, 7, VOID)
MASKS = arrays(np.uint8, (6, 5), elements=st.sampled_from(LABELS))
REGIONS = st.integers(0, 5).flatmap(lambda count: arrays(np.bool_, (count, 6, 5)))


def winner(mask, region, min_inside, min_covered):
    """The class of a region by its definition; None for one that decides nothing."""
    own = [int(label) for label in mask[region] if label != VOID]
    counts = {
        label: own.count(label)
        for label in sorted({*own} - {0})
        if own.count(label) > min_inside * len(own)
        or (min_covered is not None and own.count(label) >= min_covered * (mask == label).sum())
    }
    is_known = own and 2 * len(own) >= region.sum()
    return max(counts, key=counts.get, default=0 if is_known else None)


def voted(mask, regions, min_inside, min_covered):
    found = mask.copy()
    winners = [winner(mask, region, min_inside, min_covered) for region in regions]
    for place in np.ndindex(mask.shape):
        covering = [
            (int(region.sum()), -index, own)
            for index, (region, own) in enumerate(zip(regions, winners, strict=True))
            if region[place] and own is not None
        ]
        of_class = [one for one in covering if one[2]]
        if of_class:
            found[place] = min(of_class)[2]
        elif covering:
            found[place] = 0
    return found


@given(mask=MASKS, regions=REGIONS, min_inside=st.sampled_from([0.3, 0.5, 0.9]),
       min_covered=st.sampled_from([None, 0.4, 0.85, 1.0]))  # fmt: skip
def test_every_pixel_gets_what_the_vote_gives_it(mask, regions, min_inside, min_covered):
    before = mask.copy()
    found = ProposalVotes(min_inside, min_covered)(mask, regions)
    np.testing.assert_array_equal(found, voted(mask, regions, min_inside, min_covered))
    np.testing.assert_array_equal(mask, before)
    assert {*np.unique(found)} <= {*np.unique(mask), 0}


def scene():
    """A mask that knows the head of an animal of class 3, and the outline of the whole animal."""
    mask = np.zeros((20, 20), dtype=np.uint8)
    mask[5:9, 5:9] = 3
    animal = np.zeros((20, 20), dtype=bool)
    animal[5:15, 5:15] = True
    return mask, animal


def test_a_proposal_that_holds_most_of_a_class_gives_it_its_whole_extent():
    mask, animal = scene()
    np.testing.assert_array_equal(ProposalVotes()(mask, animal[None]), np.where(animal, 3, 0))
    assert not ProposalVotes(min_covered=None)(mask, animal[None]).any()


def test_a_proposal_of_background_takes_away_what_spilled_over():
    mask, animal = scene()
    mask[5:15, 5:17] = 3  # Two columns too many.
    found = ProposalVotes()(mask, np.stack([animal, ~animal]))
    np.testing.assert_array_equal(found, np.where(animal, 3, 0))


def test_the_smaller_of_two_proposals_is_on_top_whatever_their_order():
    mask, animal = scene()
    mask[5:15, 5:15], mask[6:8, 6:8] = 3, 1
    collar = np.zeros_like(animal)
    collar[6:8, 6:8] = True
    for regions in ([animal, collar], [collar, animal]):
        found = ProposalVotes()(mask, np.stack(regions))
        np.testing.assert_array_equal(found, mask)


def test_void_pixels_have_no_vote_and_get_what_the_others_say():
    mask, animal = scene()
    mask[animal] = VOID
    mask[5, 5] = 3
    assert (ProposalVotes()(mask, animal[None])[animal] == 3).all()
    mask[5, 5] = VOID
    np.testing.assert_array_equal(ProposalVotes()(mask, animal[None]), mask)


def test_a_region_that_is_mostly_void_is_not_taken_for_background():
    mask, animal = scene()
    mask[animal] = VOID
    mask[5:7, 5:15] = 0  # A fifth of the region votes.
    np.testing.assert_array_equal(ProposalVotes()(mask, animal[None]), mask)
    mask[5:10, 5:15] = 0
    assert not ProposalVotes()(mask, animal[None])[animal].any()


def test_proposals_of_a_smaller_image_are_enlarged():
    mask, animal = scene()
    small = animal[::2, ::2]
    large = small.repeat(2, axis=0).repeat(2, axis=1)
    found = ProposalVotes()(mask, small[None])
    np.testing.assert_array_equal(found, ProposalVotes()(mask, large[None]))


def test_shares_out_of_range_are_refused():
    for options in ({"min_inside": 1.5}, {"min_covered": -0.1}):
        with pytest.raises(WsssError, match=r"min_inside|min_covered"):
            ProposalVotes(**options)
