"""Affinity of attention against loops over pairs of pixels, in float64."""

import itertools

import pytest
import torch

from wsss.errors import WsssError
from wsss.models import SplitClassifier
from wsss.refine.affinity import AttentionAffinity
from wsss.refine.affinity.attention_affinity import (
    agreement_products,
    interpolated_cosine,
    nearest_cells,
)
from wsss.refine.affinity.colours import colour_similarity
from wsss.refine.affinity.feature_affinity import cosine_similarity
from wsss.refine.affinity.paths import pair_offsets

RADIUS = 4


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 48, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def vit(transformer):
    return SplitClassifier.linear(transformer, 3).double().eval().requires_grad_(False)


def interpolated(vectors, grid, row, column):
    """The vector of a pixel a quarter as large as a cell, of those of the four nearest cells."""
    mixed = torch.zeros_like(vectors[0])
    for cell_row, cell_column in itertools.product(range(grid[0]), range(grid[1])):
        # Beyond the centres of the outermost cells nothing changes any more.
        down = min(max((row + 0.5) / 4 - 0.5, 0), grid[0] - 1) - cell_row
        right = min(max((column + 0.5) / 4 - 0.5, 0), grid[1] - 1) - cell_column
        weight = max(0, 1 - abs(down)) * max(0, 1 - abs(right))
        mixed += weight * vectors[cell_row * grid[1] + cell_column]
    return mixed


@pytest.mark.parametrize("centred", [True, False])
def test_affinity_is_the_cosine_of_interpolated_roots_of_attention(vit, images, pairs, centred):
    found = AttentionAffinity(RADIUS, sigma_rgb=None, centred=centred)(vit, images)
    assert found.affinity.shape == (2, len(pair_offsets(RADIUS)), 12, 16)
    assert not found.boundary.any()
    _, attention = vit.features.forward_with_attention(images)
    expected = torch.zeros_like(found.affinity)
    for image in range(2):
        rows = attention[image, 1:, 1:]
        roots = torch.stack([(row / row.sum()).sqrt() for row in rows])
        roots -= centred * roots.mean(dim=0)
        vectors = {
            place: interpolated(roots, (3, 4), *place)
            for place in itertools.product(range(12), range(16))
        }
        for index, one, other in pairs(12, 16, RADIUS):
            lengths = vectors[one].norm() * vectors[other].norm()
            cosine = vectors[one] @ vectors[other] / lengths
            expected[image, index, *one] = cosine.clamp(min=0)
    torch.testing.assert_close(found.affinity, expected, rtol=1e-9, atol=1e-12)
    assert expected[expected > 0].min() < 0.95


@pytest.mark.parametrize(
    ("grid", "size"), [((3, 4), (12, 16)), ((5, 2), (9, 11)), ((1, 1), (4, 4)), ((4, 3), (2, 3))]
)
def test_products_are_enough_to_compare_resized_maps(grid, size):
    maps = torch.randn(2, 7, *grid, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    vectors = maps.flatten(2).transpose(1, 2)
    found = interpolated_cosine(vectors @ vectors.transpose(1, 2), grid, size, RADIUS)
    resized = torch.nn.functional.interpolate(maps, size, mode="bilinear")
    torch.testing.assert_close(found, cosine_similarity(resized, RADIUS, False).clamp(min=0))
    _, weights = nearest_cells(grid, size)
    torch.testing.assert_close(weights.sum(dim=0), torch.ones(size, dtype=torch.float64))


def random_attention(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(1, 13, 13, dtype=torch.float64, generator=generator)
    return scores.softmax(dim=2).to(dtype)


def test_patches_of_the_same_attention_are_one(pairs):
    attention = random_attention()
    attention[:, 1:] = attention[:, 1:2]
    products = agreement_products(attention, centred=False)
    found = interpolated_cosine(products, (3, 4), (12, 16), RADIUS)
    for index, one, _ in pairs(12, 16, RADIUS):
        assert found[0, index, *one] == pytest.approx(1, abs=1e-12)
    # Less what they have in common nothing is left, and rounding is not compared.
    for dtype in (torch.float32, torch.float64):
        left = agreement_products(attention.to(dtype), centred=True)
        assert interpolated_cosine(left, (3, 4), (12, 16), RADIUS).max() < 1e-3


@pytest.mark.parametrize("centred", [True, False])
def test_two_patches_of_the_same_attention_are_one_among_others(centred):
    attention = random_attention()
    attention[:, 6] = attention[:, 5]
    products = agreement_products(attention, centred)
    found = interpolated_cosine(products, (3, 4), (3, 4), 2)[0]
    # Patches 4 and 5, in the second row; the pair of a patch and its right neighbour comes first.
    assert pair_offsets(2)[0] == (0, 1)
    assert found[0, 1, 0] == pytest.approx(1, abs=1e-12)
    others = torch.cat([found[0, :, :3].flatten(), found[1, :2].flatten()])
    assert (others > 1 - 1e-6).sum() == 1


def test_patches_that_share_no_attention_part_the_map(pairs):
    """Left and right columns of patches look at themselves alone, and a cell wide is the seam."""
    side = torch.tensor([0, 0, 1, 1]).repeat(3)
    roots = (side[:, None] == side[None]).double()[None] / 6**0.5
    found = interpolated_cosine(roots @ roots, (3, 4), (12, 16), RADIUS)[0]
    # Centres of the patches next to the seam lie at columns 5.5 and 9.5.
    for index, one, other in pairs(12, 16, RADIUS):
        columns = sorted((one[1], other[1]))
        if columns[1] <= 5 or columns[0] >= 10:
            assert found[index, *one] == pytest.approx(1, abs=1e-12)
        elif columns[0] <= 5 and columns[1] >= 10:
            assert found[index, *one] == 0
        elif columns[0] != columns[1]:
            assert 0 < found[index, *one] < 1


def test_a_mirrored_attention_has_mirrored_affinities():
    """Symmetry: a pair is as alike from either of its ends."""
    products = agreement_products(random_attention(), centred=True)
    order = torch.arange(11, -1, -1)
    found, other = (
        interpolated_cosine(one, (3, 4), (12, 16), RADIUS)
        for one in (products, products[:, order][:, :, order])
    )
    for index, (down, right) in enumerate(pair_offsets(RADIUS)):
        # Half a turn takes a pair's end to where its beginning was.
        expected = other[0, index].flip(0, 1).roll((-down, -right), (0, 1))
        inside = (slice(0, 12 - down), slice(max(0, -right), 16 - max(0, right)))
        torch.testing.assert_close(found[0, index][inside], expected[inside])


def test_colours_weigh_what_attention_says(vit, images):
    plain = AttentionAffinity(RADIUS, sigma_rgb=None)(vit, images).affinity
    found = AttentionAffinity(RADIUS, sigma_rgb=40)(vit, images).affinity
    colours = torch.nn.functional.avg_pool2d(images, 4)
    torch.testing.assert_close(found, plain * colour_similarity(colours, RADIUS, 40))


def test_a_second_network_beside_the_classifier(classifier, vit, images):
    own = AttentionAffinity(RADIUS)(vit, images)
    beside = AttentionAffinity(RADIUS, vit.features)(classifier().double(), images)
    torch.testing.assert_close(beside.affinity, own.affinity, rtol=0, atol=0)


def test_images_are_resized_to_whole_patches(vit, images):
    odd = images[:, :, :44, :52]
    whole = torch.nn.functional.interpolate(odd, (48, 48), mode="bilinear")
    found = AttentionAffinity(RADIUS, sigma_rgb=None)(vit, odd).affinity
    assert found.shape[2:] == (11, 13)
    _, attention = vit.features.forward_with_attention(whole)
    products = agreement_products(attention, centred=True)
    expected = interpolated_cosine(products, (3, 3), (11, 13), RADIUS)
    torch.testing.assert_close(found, expected)


def test_chosen_layers_alone_are_looked_at(vit, images):
    found = AttentionAffinity(RADIUS, layers=[-1, 2], sigma_rgb=None)(vit, images).affinity
    layers = [vit.features.forward_with_attention(images, [layer])[1] for layer in (2, 11)]
    products = agreement_products((layers[0] + layers[1]) / 2, centred=True)
    expected = interpolated_cosine(products, (3, 4), (12, 16), RADIUS)
    torch.testing.assert_close(found, expected)
    every = AttentionAffinity(RADIUS, sigma_rgb=None)(vit, images).affinity
    assert not torch.allclose(found, every, atol=1e-3)


def test_the_second_network_is_frozen(transformer):
    transformer.train().requires_grad_(True)
    AttentionAffinity(attention_network=transformer)
    assert not any(module.training for module in transformer.modules())
    assert not any(parameter.requires_grad for parameter in transformer.parameters())


def test_no_tensor_is_larger_than_the_attention_of_one_image(vit, largest_tensor):
    """Neither patches × patches × patches, nor patches × pixels of the map, nor the batch's."""
    images = torch.rand(2, 3, 512, 512, dtype=torch.float64)
    method = AttentionAffinity(2)
    heads, patches = 3, 32**2
    assert largest_tensor(lambda: method(vit, images)) <= heads * (1 + patches) ** 2


def test_a_classifier_without_attention_needs_a_second_network(classifier, vit):
    with pytest.raises(WsssError, match="no attention_network beside a Tiny, which"):
        AttentionAffinity().check(classifier())
    AttentionAffinity().check(vit)
    AttentionAffinity(attention_network=vit.features).check(classifier())


@pytest.mark.parametrize("layers", [[12], [0, -13], []])
def test_layers_that_the_attention_lacks_are_refused(classifier, vit, layers):
    for method, model in (
        (AttentionAffinity(layers=layers), vit),
        (AttentionAffinity(layers=layers, attention_network=vit.features), classifier()),
    ):
        with pytest.raises(WsssError, match=r"^layers=.*some of -12…11"):
            method.check(model)
