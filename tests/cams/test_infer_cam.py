from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from wsss.cams import infer_cam
from wsss.cams.cam import CAM
from wsss.cams.core.multiscale import multiscale_maps
from wsss.cams.infer_cam import InferCAM, centres_of_mass, corner_patches, resize_mask
from wsss.models import LinearHead, SplitClassifier
from wsss.models.normalisation import Normalisation

CLOSE = {"rtol": 1e-9, "atol": 1e-12}


@pytest.fixture
def big_images(device):
    def make(count=2, size=(40, 52)):
        generator = torch.Generator().manual_seed(3)
        images = torch.rand(count, 3, *size, dtype=torch.float64, generator=generator)
        return images.to(device)

    return make


def bilinear(tensor, size):
    return nn.functional.interpolate(tensor, size=size, mode="bilinear", align_corners=False)


def naive_cams(model, patch, labels, kept, official=False, scales=(1, 0.5, 1.5, 2)):
    """Section 2.9, steps 4 and 5, one pass after the other; class maps in a list."""
    height, width = patch.shape[1:]
    weight = model.head.weight
    total = [patch.new_zeros(height, width) for _ in labels]
    mask = kept
    for scale in scales:
        rows, columns = round(height * scale), round(width * scale)
        source = mask if official else kept
        nearest_rows = [int((y + 0.5) * source.shape[0] / rows) for y in range(rows)]
        nearest_columns = [int((x + 0.5) * source.shape[1] / columns) for x in range(columns)]
        mask = source[nearest_rows][:, nearest_columns]
        for mirror in (False, True):
            view = bilinear(patch[None], (rows, columns))[0]
            erase = ~mask
            normalised = model.features.normalise(view)
            mean = normalised.mean(dim=(1, 2))
            if mirror:
                normalised = normalised.flip(-1)
                erase = erase if official else erase.flip(-1)
            normalised[:, erase] = mean[:, None]
            features = model.features.network(normalised[None])[0]
            for index, label in enumerate(labels):
                cam = sum(w * a for w, a in zip(weight[label], features, strict=True)).clamp(min=0)
                cam = bilinear(cam[None, None], (height, width))[0, 0]
                total[index] += cam.flip(-1) if mirror else cam
    return [one / (one.max() + 1e-5) for one in total]


def naive_response(model, image, labels, official=False):
    """Section 2.9 as written: four patches, five rounds, pasted by maximum."""
    height, width = image.shape[1:]
    everything = torch.ones(height, width, dtype=torch.bool, device=image.device)
    centres = []
    for cam in naive_cams(model, image, labels, everything):
        mass = float(cam.sum())
        if mass == 0:
            centres.append((height // 2, width // 2))
            continue
        y = sum(row * float(cam[row].sum()) for row in range(height)) / mass
        x = sum(column * float(cam[:, column].sum()) for column in range(width)) / mass
        centres.append((int(y), int(x)))
    y_max, x_max = max(y for y, _ in centres), max(x for _, x in centres)
    y_min, x_min = min(y for y, _ in centres), min(x for _, x in centres)
    if len(labels) >= 3:
        boxes = [(0, height, 0, width)] * 4
    else:
        buffer = 10 * len(labels)
        top, bottom = (0, y_max + buffer), (max(0, y_min - buffer), height)
        left, right = (0, x_max + buffer), (max(0, x_min - buffer), width)
        boxes = [top + left, top + right, bottom + left, bottom + right]
    merged = image.new_zeros(len(labels), height, width)
    for y0, y1, x0, x1 in boxes:
        patch = image[:, y0:y1, x0:x1]
        kept = torch.ones_like(patch[0], dtype=torch.bool)
        response = image.new_zeros(len(labels), *patch.shape[1:])
        for _ in range(5):
            response = torch.maximum(
                response, torch.stack(naive_cams(model, patch, labels, kept, official))
            )
            kept_now = response.max(dim=0).values < 0.7
            erased = (kept.sum() - kept_now.sum()) / kept.numel()
            kept = kept_now
            if erased < 0.02:
                break
        for index in range(len(labels)):
            for y in range(patch.shape[1]):
                for x in range(patch.shape[2]):
                    value = response[index, y, x]
                    if value > merged[index, y0 + y, x0 + x]:
                        merged[index, y0 + y, x0 + x] = value
    return merged


@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("labels", [[1], [0, 3], [1, 2, 4]])
def test_responses_are_those_of_the_formulas_written_with_loops(
    toy, labels, official, big_images, device
):
    image = big_images(1, (18, 30))
    method = InferCAM(compat="official" if official else None)
    with torch.no_grad():
        found = method(toy, image, torch.tensor([labels], device=device))[0]
        expected = naive_response(toy, image[0], labels, official)
    torch.testing.assert_close(found, expected, **CLOSE)


class Counter:
    """Counts the images that enter a network."""

    def __init__(self, module):
        self.images = 0
        self.calls = 0
        self.handle = module.register_forward_pre_hook(self.count)

    def count(self, _module, inputs):
        self.images += len(inputs[0])
        self.calls += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.handle.remove()


def test_no_image_takes_more_than_168_passes_and_mirror_images_go_together(toy, big_images, device):
    images = big_images(1, (44, 60))
    method = InferCAM(min_erased_fraction=0.0)
    with torch.no_grad(), Counter(toy.features) as counter:
        method(toy, images, torch.tensor([[1]], device=device))
    assert counter.images == 168
    assert counter.calls == 84


def test_an_image_that_is_not_split_is_looked_at_once_a_round(toy, big_images, device):
    images = big_images(1)
    with torch.no_grad(), Counter(toy.features) as counter:
        InferCAM(erase_threshold=1.1)(toy, images, torch.tensor([[0, 1, 2]], device=device))
    assert counter.images == 8


def test_patches_that_are_the_whole_image_are_looked_at_once(toy, toy_images, device):
    with torch.no_grad(), Counter(toy.features) as counter:
        InferCAM(erase_threshold=1.1, buffers_px=(50,))(
            toy, toy_images[:1], torch.tensor([[0]], device=device)
        )
    assert counter.images == 8


def test_responses_never_fall_from_round_to_round(toy, big_images, device):
    images, classes = big_images(1, (24, 32)), torch.tensor([[0, 3]], device=device)
    with torch.no_grad():
        rounds = [
            InferCAM(max_rounds=count, min_erased_fraction=0.0)(toy, images, classes)
            for count in (1, 2, 3, 5)
        ]
    for before, after in pairwise(rounds):
        assert (after >= before).all()
    assert (rounds[-1] > rounds[0]).any()


def test_responses_are_in_zero_to_one_and_fill_the_image(toy, big_images, device):
    images = big_images()
    with torch.no_grad():
        maps = InferCAM()(toy, images, torch.tensor([[0, 3], [2, 4]], device=device))
    assert maps.shape == (2, 2, 40, 52)
    assert (maps >= 0).all()
    assert (maps < 1).all()


def test_a_class_given_twice_counts_once(toy, big_images, device):
    images = big_images(1)
    with torch.no_grad():
        once = InferCAM()(toy, images, torch.tensor([[2]], device=device))
        twice = InferCAM()(toy, images, torch.tensor([[2, 2, 2]], device=device))
    torch.testing.assert_close(twice, once.expand(-1, 3, -1, -1), rtol=0, atol=0)


def test_a_threshold_above_one_and_three_classes_give_the_multiscale_cam(toy, device):
    model = toy.float()
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 3, 40, 52), dtype=torch.uint8, generator=generator).to(
        device
    )
    classes = torch.tensor([[0, 3, 4], [4, 1, 2]], device=device)
    with torch.no_grad():
        found = InferCAM(scales=(1.0,), erase_threshold=1.1)(model, images.float() / 255, classes)
        expected = multiscale_maps(model, CAM(), [images], classes, [(40, 52)] * 2)
    peaks = found.amax(dim=(2, 3), keepdim=True)  # below 1, as the paper's code has it
    assert (peaks < 1).all()
    torch.testing.assert_close(found / peaks, torch.stack(expected), rtol=1e-5, atol=1e-6)


def test_a_threshold_above_one_gives_the_maximum_of_the_patches_cams(toy, big_images, device):
    image = big_images(1)[0]
    kept = torch.ones_like(image[0], dtype=torch.bool)
    with torch.no_grad():
        found = InferCAM(erase_threshold=1.1)(toy, image[None], torch.tensor([[3]], device=device))[
            0
        ]
        whole = torch.stack(naive_cams(toy, image, [3], kept))
        expected = torch.zeros_like(whole)
        for y0, y1, x0, x1 in corner_patches(centres_of_mass(whole), (40, 52), 10):
            part = image[:, y0:y1, x0:x1]
            cams = torch.stack(naive_cams(toy, part, [3], kept[y0:y1, x0:x1]))
            expected[:, y0:y1, x0:x1] = torch.maximum(expected[:, y0:y1, x0:x1], cams)
    torch.testing.assert_close(found, expected, **CLOSE)


class Winner(nn.Module):
    """One channel: red, or green in images without strong red. One part hides another."""

    def __init__(self):
        super().__init__()
        self.normalise = Normalisation([0.0, 0.0, 0.0], [1.0, 1.0, 1.0])

    def forward(self, images):
        red, green = images[:, 0], images[:, 1]
        strong = (red.amax(dim=(1, 2)) > 0.9)[:, None, None]
        return torch.where(strong, red.where(red > 0.9, 0), green.where(green > 0.5, 0))[:, None]


def make_hiding_model():
    model = SplitClassifier(Winner(), LinearHead(1, 1)).double().eval()
    nn.init.ones_(model.head.linear.weight)
    return model


def test_a_part_that_a_stronger_one_hides_appears_in_round_two():
    image = torch.zeros(1, 3, 24, 24, dtype=torch.float64)
    image[:, 0, 4:12, 2:10] = 1
    image[:, 1, 4:12, 14:22] = 1
    model = make_hiding_model()
    with torch.no_grad():
        options = {"buffers_px": (), "scales": (1.0,)}
        first = InferCAM(max_rounds=1, **options)(model, image, torch.tensor([[0]]))[0, 0]
        second = InferCAM(max_rounds=2, **options)(model, image, torch.tensor([[0]]))[0, 0]
    assert first[4:12, 2:10].min() > 0.99
    assert first[4:12, 14:22].max() == 0
    assert second[4:12, 14:22].min() > 0.99
    assert second[4:12, 2:10].min() > 0.99


def test_an_unmirrored_mask_fails_to_erase_in_the_mirror_image():
    image = torch.zeros(1, 3, 24, 24, dtype=torch.float64)
    image[:, 0, 4:12, 2:10] = 1
    image[:, 1, 4:12, 14:22] = 0.8
    model = make_hiding_model()
    options = {"buffers_px": (), "scales": (1.0,), "max_rounds": 2}
    with torch.no_grad():
        own = InferCAM(**options)(model, image, torch.tensor([[0]]))[0, 0]
        theirs = InferCAM(compat="official", **options)(model, image, torch.tensor([[0]]))[0, 0]
    assert own[4:12, 14:22].min() > 0.99
    assert theirs[4:12, 14:22].max() < 0.9


def test_a_mirrored_image_has_mirrored_responses_when_it_is_not_split(toy, big_images, device):
    images, classes = big_images(), torch.tensor([[0, 1, 2], [2, 3, 4]], device=device)
    with torch.no_grad():
        # At other scales the nearest pixel of a mask is a tie, which mirroring decides otherwise.
        method = InferCAM(scales=(1.0, 2.0))
        maps = method(toy, images, classes)
        mirrored = method(toy, images.flip(-1), classes)
    torch.testing.assert_close(mirrored.flip(-1), maps, **CLOSE)


def test_large_views_are_seen_one_after_the_other_with_the_same_maps(
    toy, big_images, device, monkeypatch
):
    images, classes = big_images(1), torch.tensor([[0, 2]], device=device)
    batches = []
    with torch.no_grad():
        expected = InferCAM()(toy, images, classes)
        monkeypatch.setattr(infer_cam, "PIXELS_PER_PASS", 2 * 40 * 52)
        toy.features.register_forward_hook(lambda _, inputs, __: batches.append(inputs[0].shape))
        found = InferCAM()(toy, images, classes)
    torch.testing.assert_close(found, expected, **CLOSE)
    assert all(batch == 1 or batch * h * w <= 2 * 40 * 52 for batch, _, h, w in batches)
    assert {batch for batch, *_ in batches} == {1, 2}


def test_the_centre_of_mass_is_a_weighted_mean_rounded_down():
    maps = torch.zeros(3, 6, 8)
    maps[0, 2, 5] = 3.0
    maps[1, 1, 1], maps[1, 4, 2] = 1.0, 1.0
    assert centres_of_mass(maps).tolist() == [[2, 5], [2, 1], [3, 4]]


def test_patches_reach_from_the_corners_beyond_all_centres():
    centres = torch.tensor([[30, 50], [40, 20]])
    assert corner_patches(centres, (100, 90), 20) == [
        (0, 60, 0, 70),
        (0, 60, 0, 90),
        (10, 100, 0, 70),
        (10, 100, 0, 90),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_patches_cover_every_pixel_of_the_image(seed):
    rng = np.random.default_rng(seed)
    size = tuple(int(side) for side in rng.integers(3, 60, 2))
    centres = torch.from_numpy(rng.integers(0, size, (2, 2)))
    seen = np.zeros(size, dtype=bool)
    for top, bottom, left, right in corner_patches(centres, size, 10):
        assert 0 <= top < bottom <= size[0]
        assert 0 <= left < right <= size[1]
        seen[top:bottom, left:right] = True
    assert seen.all()


def test_a_resized_mask_takes_the_nearest_pixel():
    mask = torch.tensor([[True, False]])
    assert resize_mask(mask, (2, 4)).tolist() == [[True, True, False, False]] * 2


@pytest.mark.parametrize(
    "options",
    [
        {"compat": "paper"},
        {"scales": ()},
        {"scales": (1, 0)},
        {"max_rounds": 0},
        {"buffers_px": (0,)},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        InferCAM(**options)
