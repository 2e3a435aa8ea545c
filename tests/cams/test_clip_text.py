"""Seeds from class names: soft-max Grad-CAM and affinity beside hand computations."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch

from wsss.cams.clip_text import ClipText
from wsss.cams.clip_text.attention_affinity import affinity, box_mask, sinkhorn, spread
from wsss.cams.core.needs import Need
from wsss.errors import UnsupportedError

EXACT = {"rtol": 1e-9, "atol": 1e-12}


def generator(seed):
    return torch.Generator().manual_seed(seed)


def random_attention(patches=12, batch=2, seed=0):
    logits = torch.randn(batch, patches, patches, dtype=torch.float64, generator=generator(seed))
    return logits.softmax(dim=2)


def stretched(values):
    return (values - values.min()) / (values.max() - values.min())


def layer_by_hand(block, tokens, normalised):
    """A layer of the toy, head by head: its tokens behind it, and its attention."""
    attn = block.attn
    queries, keys, values = (
        one.unflatten(2, (attn.num_heads, -1)) for one in attn.qkv(normalised).chunk(3, dim=2)
    )
    mixed, attention = torch.empty_like(values), 0
    for head in range(attn.num_heads):
        products = queries[:, :, head] @ keys[:, :, head].mT / queries.shape[3] ** 0.5
        weights = products.exp() / products.exp().sum(dim=2, keepdim=True)
        mixed[:, :, head] = weights @ values[:, :, head]
        attention = attention + weights / attn.num_heads
    after = tokens + attn.proj(mixed.flatten(2))
    return after + block.mlp(block.norm2(after)), attention


def by_hand(model, image, classes, layers, threshold):
    """Grad-CAM of CLIP-ES and its refinement of one image, as the paper's equations say them."""
    network, head = model.features.network, model.head
    height, width = model.features.grid(image)
    tokens = network.patch_embed(model.features.normalise(image)).flatten(1, 2)
    tokens = torch.cat([network.cls_token, tokens], dim=1) + network.pos_embed
    attentions = []
    for block in network.blocks[:-1]:
        tokens, attention = layer_by_hand(block, tokens, block.norm1(tokens))
        attentions.append(attention)
    last = network.blocks[-1]
    tokens = tokens.detach()
    normalised = last.norm1(tokens).detach().requires_grad_()
    behind, attention = layer_by_hand(last, tokens, normalised)
    attentions.append(attention)
    embedding = network.norm(behind)[:, 1:].mean(dim=1) @ head.projection
    embedding = embedding / embedding.norm()
    present = list(dict.fromkeys(classes))
    texts = torch.cat([head.classes[present], head.backgrounds])
    scores = (head.scale * embedding @ texts.T).softmax(dim=1)
    balanced = torch.stack(attentions[-layers:]).mean(dim=0)[0, 1:, 1:].detach()
    for _ in range(3):
        balanced = balanced / balanced.sum(dim=0, keepdim=True)
        balanced = balanced / balanced.sum(dim=1, keepdim=True)
    together = (balanced + balanced.T) / 2
    cams, refined = [], []
    for one in classes:
        score = scores[0, present.index(one)]
        (gradient,) = torch.autograd.grad(score, normalised, retain_graph=True)
        cam = (gradient[0, 1:].mean(dim=0) * normalised[0, 1:]).sum(dim=1).relu().detach()
        cam = stretched(cam).reshape(height, width)
        cams.append(cam)
        boxes = torch.from_numpy(boxes_by_opencv(cam.numpy(), threshold)).reshape(-1)
        refined.append(stretched(((together @ together) * boxes) @ cam.reshape(-1)))
    return torch.stack(cams), torch.stack(refined).reshape(-1, height, width)


def boxes_by_opencv(cam, threshold):
    """Boxes around contours, as the authors find them."""
    mask = np.zeros(cam.shape)
    contours, _ = cv2.findContours(
        (cam >= threshold * cam.max()).astype(np.uint8), cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE
    )
    for contour in contours:
        x, y, width, height = cv2.boundingRect(contour)
        mask[y : y + height, x : x + width] = 1
    return mask


@pytest.fixture
def toy(toy_text):
    return toy_text.cpu().requires_grad_(False)


@pytest.mark.parametrize("layers", [2, 3])
def test_maps_are_those_of_the_equations(toy, toy_images, layers):
    images = toy_images.cpu()
    classes = torch.tensor([[0, 3], [4, 4], [2, 1]])
    plain = ClipText(attention_layers=0)(toy, images, classes)
    found = ClipText(attention_layers=layers, box_threshold=0.5)(toy, images, classes)
    for index, image in enumerate(images):
        cams, refined = by_hand(toy, image[None], classes[index].tolist(), layers, 0.5)
        torch.testing.assert_close(plain[index], cams, **EXACT)
        torch.testing.assert_close(found[index], refined, **EXACT)
    assert (plain[0, 0] - plain[0, 1]).abs().max() > 0.1
    assert (found - plain).abs().max() > 0.1


def test_a_network_of_fewer_layers_gives_the_attention_of_all(toy, toy_images, toy_classes):
    maps = [
        ClipText(attention_layers=layers)(toy, toy_images.cpu(), toy_classes.cpu())
        for layers in (3, 8)
    ]
    torch.testing.assert_close(*maps, rtol=0, atol=0)


def test_a_class_that_fills_up_an_image_is_no_rival_of_its_own(toy, toy_images):
    images = toy_images.cpu()[:1]
    alone = ClipText()(toy, images, torch.tensor([[2]]))
    padded = ClipText()(toy, images, torch.tensor([[2, 2, 2]]))
    torch.testing.assert_close(padded, alone.expand(-1, 3, -1, -1), **EXACT)


def test_a_score_near_one_has_a_map(toy, toy_images):
    """In single precision the gradient of the score itself is nothing there."""
    toy.head.scale.fill_(2000)
    images, classes = toy_images.cpu(), torch.arange(5).expand(3, -1)
    scores = toy.float().head(toy.features(images.float())).softmax(dim=1)
    assert (scores == 1).any()
    maps = ClipText(attention_layers=0)(toy, images.float(), classes)
    assert maps.amax(dim=(2, 3)).min() > 0.99
    expected = ClipText(attention_layers=0)(toy.double(), images, classes)
    torch.testing.assert_close(maps.double(), expected, rtol=0, atol=1e-3)


def test_logits_are_clips_scores_against_backgrounds(toy, toy_images):
    """Their soft-max beside 0 is CLIP's over the classes and the backgrounds."""
    features = toy.features(toy_images.cpu())
    scores = toy.head.similarities(features).softmax(dim=1)
    logits = toy.head(features)
    beside = torch.cat([torch.zeros(3, 1), logits], dim=1).softmax(dim=1)
    torch.testing.assert_close(beside[:, 1:], scores[:, :5], **EXACT)
    torch.testing.assert_close(beside[:, 0], scores[:, 5:].sum(dim=1), **EXACT)
    one = toy.head.similarities(features)[:, [2, 5, 6, 7]].softmax(dim=1)[:, 0]
    torch.testing.assert_close(logits[:, 2].sigmoid(), one, **EXACT)


def test_normalised_attention_is_doubly_stochastic():
    found = sinkhorn(random_attention(), 200)
    for dim in (1, 2):
        torch.testing.assert_close(found.sum(dim=dim), torch.ones(2, 12).double(), **EXACT)
    once = sinkhorn(random_attention(), 1)
    torch.testing.assert_close(once.sum(dim=2), torch.ones(2, 12).double(), **EXACT)
    # Sinkhorn's limit scales rows and columns: all two-by-two ratios stay as they were.
    before = random_attention()
    cross = [m[:, 0, 1] * m[:, 4, 7] / (m[:, 0, 7] * m[:, 4, 1]) for m in (before, found)]
    torch.testing.assert_close(*cross, rtol=1e-9, atol=0)


@pytest.mark.parametrize("power", [1, 2, 3])
def test_affinity_is_what_walks_of_that_many_steps_add_up_to(power):
    attention = random_attention(patches=4, batch=1)
    step = sinkhorn(attention, 3)[0]
    step = (step + step.T) / 2
    found = affinity(attention, 3, power)[0]
    for start in range(4):
        for end in range(4):
            walks = 0.0
            for way in np.ndindex(*(4,) * (power - 1)):
                steps = pairwise((start, *way, end))
                walks += np.prod([float(step[one]) for one in steps])
            assert float(found[start, end]) == pytest.approx(walks, rel=1e-12)


def test_maps_spread_from_the_cells_of_a_mask_alone():
    maps = torch.rand(2, 3, 2, 3, dtype=torch.float64, generator=generator(1))
    between = torch.rand(2, 6, 6, dtype=torch.float64, generator=generator(2))
    sources = torch.rand(2, 3, 2, 3, generator=generator(3)) > 0.5
    found = spread(maps, between, sources)
    for image, position, row, column in np.ndindex(*found.shape):
        expected = sum(
            between[image, row * 3 + column, y * 3 + x] * maps[image, position, y, x]
            for y, x in np.ndindex(2, 3)
            if sources[image, position, y, x]
        ) + torch.zeros((), dtype=torch.float64)
        torch.testing.assert_close(found[image, position, row, column], expected, **EXACT)


@pytest.mark.parametrize("threshold", [0.4, 0.7, 1.0])
def test_boxes_are_those_of_opencvs_contours(threshold):
    rough = torch.rand(40, 1, 3, 4, generator=generator(4))
    maps = torch.nn.functional.interpolate(rough, (9, 11), mode="bilinear")[:, 0].double()
    found = box_mask(maps, threshold)
    expected = np.stack([boxes_by_opencv(one, threshold) for one in maps.numpy()])
    assert np.array_equal(found.numpy(), expected)
    assert 0 < expected.mean() < 1


def test_boxes_of_the_authors_end_in_front_of_the_last_row_and_column():
    cam = torch.zeros(4, 5)
    cam[2:, 1:] = 1
    expected = np.zeros((4, 5), dtype=bool)
    expected[2:3, 1:4] = True
    assert np.array_equal(box_mask(cam, 0.4, open_ends=True).numpy(), expected)
    assert np.array_equal(box_mask(cam, 0.4).numpy(), cam.bool().numpy())
    assert not box_mask(torch.zeros(4, 5), 0.4).any()


def test_what_it_needs_is_said(toy_vit):
    with pytest.raises(UnsupportedError, match="whose classes are texts") as refusal:
        ClipText().check(toy_vit)
    assert refusal.value.needs == {Need.TEXT_HEAD}
