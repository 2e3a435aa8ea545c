"""Losses of pairs against loops in double precision."""

import itertools
import math

import pytest
import torch

from wsss.losses import affinity_loss, displacement_loss
from wsss.losses.affinity import Relations, count_pairs, relations
from wsss.refine.affinity.paths import neighbour, pair_offsets

VOID = 255


@pytest.fixture
def case():
    torch.manual_seed(0)
    labels = torch.tensor([0, 1, 2, VOID])[torch.randint(0, 4, (2, 5, 6))]
    affinity = torch.rand(2, len(pair_offsets(3)), 5, 6, dtype=torch.float64)
    displacement = torch.randn(2, 2, 5, 6, dtype=torch.float64)
    return labels, affinity, displacement


def pairs_of(labels, radius=3):
    return relations(
        labels, torch.stack([neighbour(labels, o, VOID) for o in pair_offsets(radius)], dim=1)
    )


def loss_of(affinity, pairs):
    return affinity_loss(affinity, pairs, count_pairs(pairs))


def naive_pairs(labels, radius=3):
    """Kind, image, offset index, and both pixels of every pair that has labels."""
    images, height, width = labels.shape
    for image, row, column in itertools.product(range(images), range(height), range(width)):
        for index, (down, right) in enumerate(pair_offsets(radius)):
            other = (row + down, column + right)
            if not (other[0] < height and 0 <= other[1] < width):
                continue
            one, two = int(labels[image, row, column]), int(labels[image][other])
            if VOID in (one, two):
                continue
            kind = "different" if one != two else "foreground" if one else "background"
            yield kind, image, index, (row, column), other


def mean(values):
    return sum(values) / max(1, len(values))


def test_relations_are_those_of_the_labels(case):
    labels, _, _ = case
    found = pairs_of(labels)
    expected = {kind: torch.zeros_like(found.foreground) for kind in found._fields}
    for kind, image, index, one, _ in naive_pairs(labels):
        expected[kind][image, index][one] = True
    for kind in found._fields:
        assert torch.equal(getattr(found, kind), expected[kind])


def test_affinity_loss_is_that_of_loops(case):
    labels, affinity, _ = case
    terms = {"foreground": [], "background": [], "different": []}
    for kind, image, index, one, _ in naive_pairs(labels):
        value = float(affinity[image, index][one])
        wrong = 1 - value if kind != "different" else value
        terms[kind].append(-math.log(1 - wrong + 1e-5))
    expected = (mean(terms["foreground"]) + mean(terms["background"])) / 4
    expected += mean(terms["different"]) / 2
    assert float(loss_of(affinity, pairs_of(labels))) == pytest.approx(expected, rel=1e-5)


def test_displacement_loss_is_that_of_loops(case):
    labels, _, displacement = case
    terms = {"foreground": [], "background": [], "different": []}
    for kind, image, _, one, other in naive_pairs(labels):
        for axis in range(2):
            difference = float(displacement[image, axis][one] - displacement[image, axis][other])
            target = other[axis] - one[axis] if kind == "foreground" else 0
            terms[kind].append(abs(difference - target))
    expected = (mean(terms["foreground"]) + mean(terms["background"])) / 2
    offsets = pair_offsets(3)
    difference = torch.stack(
        [displacement - neighbour(displacement, offset, 0.0) for offset in offsets], dim=1
    )
    pairs = pairs_of(labels)
    found = displacement_loss(difference, torch.tensor(offsets).double(), pairs, count_pairs(pairs))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_displacements_to_one_centre_cost_nothing():
    labels = torch.ones(1, 7, 7, dtype=torch.int64)
    rows, columns = torch.meshgrid(torch.arange(7.0), torch.arange(7.0), indexing="ij")
    to_centre = torch.stack([3 - rows, 3 - columns])[None]
    offsets = pair_offsets(4)
    difference = torch.stack(
        [to_centre - neighbour(to_centre, offset, 0.0) for offset in offsets], dim=1
    )
    pairs = pairs_of(labels, 4)
    counts, offsets = count_pairs(pairs), torch.tensor(offsets).float()
    assert float(displacement_loss(difference, offsets, pairs, counts)) == 0
    wrong = displacement_loss(-difference, offsets, pairs, counts)
    assert float(wrong) > 1


def test_perfect_affinity_costs_next_to_nothing_and_no_pairs_cost_nothing(case):
    labels, affinity, _ = case
    pairs = pairs_of(labels)
    perfect = (pairs.foreground | pairs.background).double()
    assert abs(float(loss_of(perfect, pairs))) < 2e-5
    assert float(loss_of(1 - perfect, pairs)) == pytest.approx(-math.log(1e-5), rel=1e-3)
    nothing = pairs_of(torch.full_like(labels, VOID))
    affinity.requires_grad_()
    loss = loss_of(affinity, nothing)
    loss.backward()
    assert loss.item() == 0
    assert not affinity.grad.any()


def test_the_mean_over_processes_is_the_loss_of_the_whole_batch(case):
    """Two processes with an image each, whose numbers of pairs differ."""
    labels, affinity, displacement = case
    labels[1, 2:] = VOID
    offsets = pair_offsets(3)
    difference = torch.stack([displacement - neighbour(displacement, o, 0.0) for o in offsets], 1)
    targets, pairs = torch.tensor(offsets).double(), pairs_of(labels)
    own = [Relations(*(kind[image : image + 1] for kind in pairs)) for image in range(2)]
    counts = torch.stack([count_pairs(one) for one in own]).mean(dim=0)
    losses = [
        affinity_loss(affinity[image : image + 1], one, counts)
        + displacement_loss(difference[image : image + 1], targets, one, counts)
        for image, one in enumerate(own)
    ]
    all_counts = count_pairs(pairs)
    expected = affinity_loss(affinity, pairs, all_counts)
    expected = expected + displacement_loss(difference, targets, pairs, all_counts)
    assert float(sum(losses) / 2) == pytest.approx(float(expected), rel=1e-6)
