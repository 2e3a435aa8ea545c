import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from wsss.cams.cam import CAM
from wsss.cams.core.postprocess import normalise_minmax
from wsss.cams.recipro_cam import ReciproCAM
from wsss.models import SplitClassifier

MASKS = ["delta", "gaussian", "gaussian_neighbour"]
DELTA = [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
GAUSS = [[1 / 16, 2 / 16, 1 / 16], [2 / 16, 4 / 16, 2 / 16], [1 / 16, 2 / 16, 1 / 16]]
AUTHORS = ReciproCAM(baseline="none")
AUTHORS_LOGITS = ReciproCAM(score="logit", baseline="none")


class Wrapped(nn.Module):
    """A head whose kind is hidden, so that it is run literally, and counted."""

    num_classes = 5

    def __init__(self, head):
        super().__init__()
        self.head = head
        self.rows = []

    def forward(self, features):
        assert not torch.is_grad_enabled()
        self.rows.append(len(features))
        return self.head(features)


def literal(model, multi_label=True):
    return SplitClassifier(model.features, Wrapped(model.head), multi_label)


def naive_copy(features, mask, i, j):
    copy = torch.zeros_like(features)
    height, width = features.shape[1:]
    for di in (-1, 0, 1):
        for dj in (-1, 0, 1):
            y, x = i + di, j + dj
            if not (0 <= y < height and 0 <= x < width):
                continue
            weight = DELTA[di + 1][dj + 1] if mask == "delta" else GAUSS[di + 1][dj + 1]
            source = features[:, y, x] if mask == "gaussian_neighbour" else features[:, i, j]
            copy[:, y, x] = weight * source
    return copy


def naive_score(model, features, score):
    logits = model.head(features[None])[0]
    if score == "probability" and model.multi_label:
        return 1 / (1 + (-logits).exp())
    return logits.exp() / logits.exp().sum() if score == "probability" else logits


def naive_maps(model, images, classes, mask, score, baseline):
    features = model.features(images)
    maps = images.new_zeros(*classes.shape, *features.shape[2:])
    for b, own in enumerate(classes):
        for i in range(features.shape[2]):
            for j in range(features.shape[3]):
                found = naive_score(model, naive_copy(features[b], mask, i, j), score)
                if baseline == "zeros":
                    found = found - naive_score(model, torch.zeros_like(features[b]), score)
                maps[b, :, i, j] = found[own]
    return maps


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(
    ("score", "multi_label"),
    [
        ("probability", True),
        ("probability", False),
        ("logit", True),
    ],
)
@pytest.mark.parametrize("head", ["linear", "literal", "mlp"])
@pytest.mark.parametrize("baseline", ["zeros", "none"])
@torch.no_grad()
def test_maps_are_those_of_a_naive_loop(
    toy, toy_mlp, toy_images, toy_classes, mask, score, multi_label, head, baseline
):
    model = toy_mlp if head == "mlp" else toy
    model.multi_label = multi_label
    run = literal(toy, multi_label) if head == "literal" else model
    method = ReciproCAM(mask=mask, score=score, baseline=baseline, chunk_rows=50)
    found = method(run, toy_images, toy_classes)
    expected = naive_maps(model, toy_images, toy_classes, mask, score, baseline)
    assert_close(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("wrap", [lambda model: model, literal], ids=["pooled", "literal"])
def test_delta_masks_and_logits_give_cam(toy, toy_images, wrap, every_class):
    maps = AUTHORS_LOGITS(wrap(toy), toy_images, every_class)
    cam = CAM()(toy, toy_images, every_class)
    assert_close(maps, cam / 42 + toy.head.bias[:, None, None], rtol=1e-9, atol=1e-12)
    assert_close(
        normalise_minmax(maps.flatten(0, 1)),
        normalise_minmax(cam.flatten(0, 1)),
        rtol=1e-9,
        atol=1e-11,
    )


@pytest.mark.parametrize("wrap", [False, True], ids=["pooled", "literal"])
def test_delta_masks_and_soft_max_give_the_soft_max_of_cam(toy, toy_images, wrap, every_class):
    toy.multi_label = False
    cam = CAM()(toy, toy_images, every_class)
    expected = (cam / 42 + toy.head.bias[:, None, None]).softmax(dim=1)
    model = literal(toy, multi_label=False) if wrap else toy
    assert_close(AUTHORS(model, toy_images, every_class), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("wrap", [lambda model: model, literal], ids=["pooled", "literal"])
def test_replicated_gaussians_weigh_cam_by_the_mass_inside_the_map(
    toy, toy_images, wrap, every_class
):
    mass = toy_images.new_ones(7, 6)
    mass[[0, -1]] *= 3 / 4
    mass[:, [0, -1]] *= 3 / 4
    assert mass[0, 0] == 9 / 16
    cam = CAM()(toy, toy_images, every_class)
    explain = ReciproCAM(mask="gaussian", score="logit", baseline="none")
    maps = explain(wrap(toy), toy_images, every_class)
    assert_close(maps, mass * cam / 42 + toy.head.bias[:, None, None], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("wrap", [lambda model: model, literal], ids=["pooled", "literal"])
def test_gaussians_of_neighbours_smooth_cam(toy, toy_images, wrap, every_class):
    kernel = toy_images.new_tensor(GAUSS)[None, None]
    cam = CAM()(toy, toy_images, every_class)
    smooth = F.conv2d(cam.flatten(0, 1)[:, None], kernel, padding=1).view_as(cam)
    explain = ReciproCAM(mask="gaussian_neighbour", score="logit", baseline="none")
    maps = explain(wrap(toy), toy_images, every_class)
    assert_close(maps, smooth / 42 + toy.head.bias[:, None, None], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("chunk_rows", [1, 41, 42, 1000])
def test_the_size_of_chunks_changes_nothing_but_the_number_of_passes(
    toy_mlp, toy_images, toy_classes, mask, chunk_rows
):
    model = literal(toy_mlp)
    passes = []
    model.features.register_forward_hook(
        lambda _module, inputs, output: passes.append((len(inputs[0]), output.requires_grad))
    )
    with torch.enable_grad():
        maps = ReciproCAM(mask=mask, chunk_rows=chunk_rows)(model, toy_images, toy_classes)
    assert passes == [(3, False)]
    *rows, nothing = model.head.rows
    assert (len(rows), sum(rows)) == (-(-3 * 42 // chunk_rows), 3 * 42)
    assert nothing == 1
    expected = ReciproCAM(mask=mask)(toy_mlp, toy_images, toy_classes)
    assert_close(maps, expected, rtol=1e-9, atol=1e-12)


def test_a_dead_position_scores_what_the_head_answers_to_zeros(toy_mlp, toy_images, toy_classes):
    features = toy_mlp.features

    class Dead(nn.Module):
        def forward(self, images):
            found = features(images).clone()
            found[:, :, 2, 4] = 0
            return found

    model = SplitClassifier(Dead(), toy_mlp.head)
    maps = AUTHORS_LOGITS(model, toy_images, toy_classes)
    answer = model.head(toy_images.new_zeros(1, 16, 7, 6))[0]
    assert_close(maps[:, :, 2, 4], answer[toy_classes], rtol=1e-12, atol=0)
    maps = ReciproCAM()(model, toy_images, toy_classes)
    assert_close(maps[:, :, 2, 4], toy_images.new_zeros(3, 2), rtol=0, atol=1e-12)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("multi_label", [True, False])
def test_the_zero_of_seeds_adds_the_same_to_a_whole_map(
    toy_mlp, toy_images, toy_classes, mask, multi_label
):
    toy_mlp.multi_label = multi_label
    maps = ReciproCAM(mask=mask)(toy_mlp, toy_images, toy_classes)
    plain = ReciproCAM(mask=mask, baseline="none")(toy_mlp, toy_images, toy_classes)
    shift = plain - maps
    assert_close(shift, shift[:, :, :1, :1].expand_as(shift), rtol=1e-9, atol=1e-12)
    stretched, expected = (normalise_minmax(one) for one in (maps, plain))
    assert_close(stretched, expected, rtol=1e-9, atol=1e-9)


def test_maps_of_sigmoids_are_nearly_those_of_cam(toy, toy_images, every_class):
    # The sigmoid is nearly a straight line over what a single position can move it.
    toy.head.linear.weight.data /= 10
    found, cam = (
        maps / maps.abs().amax(dim=(2, 3), keepdim=True)
        for maps in (
            method(toy, toy_images, every_class).detach() for method in (ReciproCAM(), CAM())
        )
    )
    assert_close(found, cam, rtol=0, atol=1e-3)


def test_a_batch_has_the_maps_of_its_images(toy_mlp, toy_images, toy_classes):
    together = ReciproCAM(chunk_rows=10)(toy_mlp, toy_images, toy_classes)
    for index in range(3):
        alone = ReciproCAM()(toy_mlp, toy_images[index : index + 1], toy_classes[index : index + 1])
        assert_close(together[index : index + 1], alone, rtol=1e-9, atol=1e-12)


def test_scores_are_never_in_half_precision(toy, toy_images, toy_classes):
    half = toy.to(torch.bfloat16)
    maps = ReciproCAM()(half, toy_images.to(torch.bfloat16), toy_classes)
    assert maps.dtype == torch.float32


@pytest.mark.parametrize(
    "options",
    [{"mask": "box"}, {"score": "softmax"}, {"baseline": "minimum"}, {"chunk_rows": 0}],
    ids=str,
)
def test_unknown_options_are_refused(options):
    with pytest.raises(ValueError, match="expected"):
        ReciproCAM(**options)
