import numpy as np
import pytest
import torch

from wsss.cam.cam import CAM
from wsss.cam.multiscale import multiscale_maps
from wsss.cam.postprocess import normalise_max, normalise_minmax, resize
from wsss.models import SplitClassifier, TimmBackbone


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    backbone = TimmBackbone("tf_efficientnet_lite0", "package")
    return SplitClassifier.linear(backbone, 5).eval()


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(0, 256, (2, 3, 64, 96), dtype=np.uint8))


CLASSES = torch.tensor([[0, 3], [4, 4]])


def test_maps_are_weighted_sums_of_features(model, images):
    with torch.inference_mode():
        maps = CAM()(model, images.float() / 255, CLASSES)
        features = model.features(images.float() / 255).double()
    weight = model.head.weight.detach().double().reshape(5, -1)
    expected = torch.stack(
        [torch.einsum("nk,khw->nhw", weight[c], f) for c, f in zip(CLASSES, features, strict=True)]
    )
    assert maps.shape == (2, 2, 4, 6)
    np.testing.assert_allclose(maps.numpy(), expected.numpy(), rtol=1e-4, atol=1e-4)


def test_the_mean_of_a_map_is_the_logit(model, images):
    with torch.inference_mode():
        maps = CAM()(model, images.float() / 255, CLASSES)
        logits = model(images.float() / 255)
    np.testing.assert_allclose(
        maps.mean(dim=(2, 3)).numpy(), logits.gather(1, CLASSES).numpy(), rtol=1e-3, atol=1e-4
    )


def test_a_mirrored_image_has_mirrored_seeds(model, images):
    sizes = [(16, 24)] * 2
    with torch.inference_mode():
        maps = multiscale_maps(model, CAM(), [images], CLASSES, sizes)
        mirrored = multiscale_maps(model, CAM(), [images.flip(-1)], CLASSES, sizes)
    for one, other in zip(maps, mirrored, strict=True):
        np.testing.assert_allclose(one.numpy(), other.flip(-1).numpy(), atol=1e-4)


def test_passes_are_rectified_summed_and_divided_by_their_maximum(model, images):
    levels = [images, torch.nn.functional.interpolate(images.float(), scale_factor=1.5).byte()]
    with torch.inference_mode():
        found = multiscale_maps(model, CAM(), levels, CLASSES, [(16, 24), (13, 7)], flip=True)
        for index, size in enumerate([(16, 24), (13, 7)]):
            total = torch.zeros(2, *size)
            for level in levels:
                for flip in (False, True):
                    x = (level.flip(-1) if flip else level)[index : index + 1].float() / 255
                    one = CAM()(model, x, CLASSES[index : index + 1]).clamp(min=0)
                    one = one.flip(-1) if flip else one
                    total += torch.nn.functional.interpolate(one, size, mode="bilinear")[0]
            expected = total / total.amax(dim=(1, 2), keepdim=True)
            np.testing.assert_allclose(found[index].numpy(), expected.numpy(), atol=2e-4)
            assert found[index].max() == pytest.approx(1, abs=1e-3)


def test_nothing_stays_nothing():
    zeros = torch.zeros(2, 3, 3)
    assert (normalise_max(zeros) == 0).all()
    assert (normalise_minmax(zeros + 5) == 0).all()


def test_minmax_spans_zero_to_one():
    maps = torch.tensor([[[2.0, 4.0], [3.0, 6.0]]])
    np.testing.assert_allclose(normalise_minmax(maps)[0], [[0, 0.5], [0.25, 1]])


def test_resize_aligns_pixel_centres():
    row = torch.tensor([[[[0.0, 4.0]]]])
    np.testing.assert_allclose(resize(row, (1, 4))[0, 0, 0], [0, 1, 3, 4])
