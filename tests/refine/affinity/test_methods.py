"""Affinities of a classifier's features, colours and learned boundaries."""

import pytest
import torch
from torch import nn

from wsss.errors import WsssError
from wsss.models import AffinityHeads
from wsss.refine.affinity import FeatureAffinity, LearnedAffinity, boundary_affinity
from wsss.refine.affinity.colours import colour_similarity
from wsss.refine.affinity.feature_affinity import cosine_similarity


@pytest.fixture
def images():
    return torch.rand(2, 3, 32, 24, generator=torch.manual_seed(1))


@pytest.mark.parametrize("centred", [True, False])
def test_cosines_are_those_of_single_pairs(pairs, centred):
    features = torch.randn(1, 4, 5, 6, dtype=torch.float64, generator=torch.manual_seed(0))
    found = cosine_similarity(features, 3, centred)
    compared = features[0] - features[0].mean(dim=(1, 2), keepdim=True) * centred
    for index, one, other in pairs(5, 6, 3):
        vectors = compared[:, *one], compared[:, *other]
        expected = (vectors[0] @ vectors[1]) / (vectors[0].norm() * vectors[1].norm())
        assert found[0, index, *one] == pytest.approx(float(expected), abs=1e-12)


def test_colours_are_compared_by_a_gaussian_of_their_distance(pairs):
    colours = torch.rand(1, 3, 4, 5, dtype=torch.float64, generator=torch.manual_seed(0))
    found = colour_similarity(colours, 3, sigma_rgb=51)
    for index, one, other in pairs(4, 5, 3):
        distance = torch.dist(255 * colours[0, :, *one], 255 * colours[0, :, *other])
        expected = torch.exp(-(distance**2) / (2 * 51**2))
        assert found[0, index, *one] == pytest.approx(float(expected), rel=1e-9)


def test_features_are_averaged_over_layers_and_multiplied_with_colours(classifier, images):
    model = classifier()
    found = FeatureAffinity(3, sigma_rgb=40)(model, images)
    first = model.features.first(images)
    second = nn.functional.interpolate(model.features(images), (8, 6), mode="bilinear")
    mean = (cosine_similarity(first, 3, True) + cosine_similarity(second, 3, True)) / 2
    colours = nn.functional.avg_pool2d(images, 4)
    expected = mean.clamp(min=0) * colour_similarity(colours, 3, 40)
    torch.testing.assert_close(found.affinity, expected, rtol=1e-4, atol=1e-6)
    assert found.boundary.shape == (2, 8, 6)
    assert not found.boundary.any()
    without = FeatureAffinity(3, layers=["first"], sigma_rgb=None, centred=False)(model, images)
    expected = cosine_similarity(first, 3, False).clamp(min=0)
    torch.testing.assert_close(without.affinity, expected, rtol=1e-4, atol=1e-6)


def test_a_backbone_without_inner_layers_gives_its_feature_map(classifier, images):
    hidden = FeatureAffinity(3, sigma_rgb=None)(classifier(shows_layers=False), images)
    shown = FeatureAffinity(3, layers=["second"], sigma_rgb=None)(classifier(), images)
    torch.testing.assert_close(hidden.affinity, shown.affinity)


def test_unknown_layers_are_refused(classifier):
    FeatureAffinity(layers=["second"]).check(classifier())
    with pytest.raises(WsssError, match="'third'"):
        FeatureAffinity(layers=["third"]).check(classifier())
    with pytest.raises(WsssError, match="shows none"):
        FeatureAffinity(layers=["second"]).check(classifier(shows_layers=False))


def test_learned_affinities_are_those_of_the_averaged_boundaries(classifier, images):
    model = classifier()
    with pytest.raises(WsssError, match="no class boundaries"):
        LearnedAffinity().check(model)
    model.affinity_heads = AffinityHeads(("first", "second"), (6, 5), None).requires_grad_(False)
    method = LearnedAffinity(4)
    method.check(model)
    found = method(model, images)

    def logits(some):
        first = model.features.first(some)
        return model.affinity_heads.boundary([first, model.features.second(first)], (8, 6))

    expected = ((logits(images) + logits(images.flip(-1)).flip(-1)) / 2).sigmoid()
    torch.testing.assert_close(found.boundary, expected)
    torch.testing.assert_close(found.affinity, boundary_affinity(expected, 4))
    # What is seen with the mirror image does not depend on which of the two comes first.
    mirrored = method(model, images.flip(-1)).boundary.flip(-1)
    torch.testing.assert_close(mirrored, found.boundary)
