"""What every source of affinities keeps to."""

import copy

import pytest
import torch

from wsss.errors import WsssError
from wsss.models import AffinityHeads, SplitClassifier
from wsss.refine.affinity import AttentionAffinity, FeatureAffinity, LearnedAffinity
from wsss.refine.affinity.paths import pair_offsets
from wsss.stage_tools.forward_passes import share_tensors

RADIUS = 4


@pytest.mark.parametrize("method", [AttentionAffinity, FeatureAffinity, LearnedAffinity])
def test_wrong_settings_are_named(method):
    with pytest.raises(WsssError, match=r"^radius=1:.*2 or more"):
        method(radius=1)
    if method is not LearnedAffinity:
        with pytest.raises(WsssError, match=r"^sigma_rgb=0:.*above 0"):
            method(sigma_rgb=0)


@pytest.fixture
def known(classifier, transformer):
    """Methods, each with a classifier that it works on."""
    learned = classifier().double()
    torch.manual_seed(0)
    heads = AffinityHeads(("first", "second"), (6, 5), None)
    learned.affinity_heads = heads.double().eval().requires_grad_(False)
    vit = SplitClassifier.linear(transformer, 3).double().eval().requires_grad_(False)
    return {
        "features": (FeatureAffinity(RADIUS), classifier().double()),
        "learned": (LearnedAffinity(RADIUS), learned),
        "attention": (AttentionAffinity(RADIUS), vit),
        "second network": (AttentionAffinity(RADIUS, transformer), classifier().double()),
    }


@pytest.fixture(
    params=["features", "learned", "attention", "second network"],
    ids=lambda name: name.replace(" ", "-"),
)
def case(known, request):
    method, model = known[request.param]
    method.check(model)
    return method, model


@pytest.fixture(params=[(48, 64), (40, 24), (16, 80)], ids=str)
def images(request):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(3, 3, *request.param, dtype=torch.float64, generator=generator)


def test_relations_are_those_of_maps_at_a_quarter_of_the_size(case, images):
    method, model = case
    affinity, boundary = method(model, images)
    size = (images.shape[2] // 4, images.shape[3] // 4)
    assert affinity.shape == (3, len(pair_offsets(method.radius)), *size)
    assert boundary.shape == (3, *size)
    for relations in (affinity, boundary):
        assert relations.dtype == images.dtype
        assert not relations.requires_grad
        assert relations.min() >= 0
        assert relations.max() <= 1
    assert affinity.std() > 1e-3


def test_pairs_that_leave_the_map_have_none(case, images):
    method, model = case
    affinity, _ = method(model, images)
    height, width = affinity.shape[2:]
    for index, (down, right) in enumerate(pair_offsets(method.radius)):
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        inside = (rows + down < height) & (columns + right >= 0) & (columns + right < width)
        assert not affinity[:, index, ~inside].any()


def test_an_image_is_related_alike_alone_and_in_a_batch(case, images):
    method, model = case
    together, alone = method(model, images), method(model, images[1:2])
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one[1:2], other, rtol=1e-9, atol=1e-12)


def test_nothing_is_left_behind(case, images):
    method, model = case
    before = copy.deepcopy(model.state_dict())
    first = method(model, images)
    second = method(model, images)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
    for module in model.modules():
        assert not module.training
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_a_copy_for_another_thread_shares_tensors_and_gives_the_same(case, images):
    method, model = case
    own_model, own_method = share_tensors((model, method))
    copied = zip(own_model.parameters(), model.parameters(), strict=True)
    assert all(one is other for one, other in copied)
    torch.testing.assert_close(own_method(own_model, images), method(model, images))
