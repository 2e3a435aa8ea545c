import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from wsss.metrics.explanation.deletion_insertion import (
    area_below,
    num_steps,
    replacement_curve,
    replacement_ranks,
)
from wsss.metrics.explanation.replacement_images import Blur, MeanColour, black, blend


@pytest.fixture
def rand(device):
    def make(*shape, seed=0):
        generator = torch.Generator().manual_seed(seed)
        return torch.rand(*shape, dtype=torch.float64, generator=generator).to(device)

    return make


def naive_curve(confidence, start, finish, values, step):
    """One pixel after the other, one image at a time."""
    height, width = values.shape
    pixels = [(-float(values[y, x]), y, x) for y in range(height) for x in range(width)]
    pixels.sort()  # Equal values in reading order.
    image = start.clone()
    curve = [float(confidence(image[None]))]
    while pixels:
        for _, y, x in pixels[:step]:
            image[:, y, x] = finish[:, y, x]
        pixels = pixels[step:]
        curve.append(float(confidence(image[None])))
    return curve


def confidence(images):
    weights = torch.linspace(-1, 1, images[0].numel(), dtype=torch.float64).to(images)
    weights = weights.view(images.shape[1:])
    return (images * weights).sum(dim=(1, 2, 3)).sigmoid()


@pytest.mark.parametrize(("step", "batch_size"), [(7, 32), (10, 2), (1, 5), (100, 1)])
def test_curves_are_those_of_a_loop_over_pixels(step, batch_size, rand):
    start, finish = rand(3, 8, 10), rand(3, 8, 10, seed=1)
    values = (rand(8, 10, seed=2) * 6).floor() / 6  # with ties
    found = replacement_curve(confidence, start, finish, values, step, batch_size)
    expected = start.new_tensor(naive_curve(confidence, start, finish, values, step))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert len(found) == num_steps(80, step) + 1
    assert found[0] == confidence(start[None])[0]
    torch.testing.assert_close(found[-1], confidence(finish[None])[0])


def test_a_step_of_224_pixels_takes_224_steps(rand):
    assert num_steps(224 * 224, 224) == 224
    seen = []

    def count(images):
        seen.append(len(images))
        return images.mean(dim=(1, 2, 3))

    image = rand(3, 224, 224)
    curve = replacement_curve(count, image, torch.zeros_like(image), rand(224, 224))
    assert len(curve) == sum(seen) == 225
    assert max(seen) == 32


def test_small_maps_replace_whole_cells():
    start, finish = torch.ones(3, 8, 6), torch.zeros(3, 8, 6)
    cells = torch.tensor([[0.0, 3.0], [2.0, 1.0]])
    images = []

    def keep(batch):
        images.extend(batch)
        return batch.mean(dim=(1, 2, 3))

    curve = replacement_curve(keep, start, finish, cells, step=1)
    torch.testing.assert_close(curve, torch.tensor([1, 0.75, 0.5, 0.25, 0]))
    assert (images[1][:, :4, 3:] == 0).all()
    assert (images[2][:, 4:, :3] == 0).all()
    assert (images[3][:, 4:, 3:] == 0).all()


def test_equal_cells_are_replaced_in_reading_order():
    assert replacement_ranks(torch.zeros(2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert replacement_ranks(torch.tensor([[1.0, 5.0], [5.0, 0.0]])).tolist() == [[2, 0], [1, 3]]


def test_the_area_below_a_constant_is_its_value():
    assert area_below(torch.ones(225)) == 1


def test_the_area_below_a_straight_line_is_a_half():
    assert float(area_below(torch.linspace(1, 0, 225, dtype=torch.float64))) == pytest.approx(
        0.5, rel=1e-12
    )


def test_the_area_is_that_of_trapezoids(rand):
    curves = rand(3, 9)
    x = torch.linspace(0, 1, 9).to(curves)
    torch.testing.assert_close(area_below(curves), torch.trapezoid(curves, x, dim=-1))


def test_blending_with_the_mean_colour_multiplies_normalised_images(rand):
    mean, std = rand(3, 1, 1), 0.2 + rand(3, 1, 1, seed=1)
    images, maps = rand(2, 3, 5, 4, seed=2), rand(2, 5, 4, seed=3)
    kept = blend(images, maps, MeanColour(mean)(images))
    expected = (images - mean) / std * maps[:, None]
    torch.testing.assert_close((kept - mean) / std, expected, rtol=1e-9, atol=1e-12)


def test_blending_spans_substrate_and_image(rand):
    images = rand(2, 3, 5, 4) / 3  # Values whose differences are rounded.
    ones = images.new_ones(2, 5, 4)
    for substrate in (black(images), rand(2, 3, 5, 4, seed=1)):
        assert torch.equal(blend(images, ones, substrate), images)
        assert torch.equal(blend(images, 0 * ones, substrate), substrate)


def test_blur_is_a_gaussian_of_eleven_pixels(rand):
    images = rand(2, 3, 20, 17)
    expected = images.cpu().numpy()
    for axis in (2, 3):
        expected = gaussian_filter1d(expected, 5.0, axis=axis, mode="nearest", radius=5)
    torch.testing.assert_close(Blur()(images).cpu(), torch.from_numpy(expected))


def test_blur_keeps_plain_images_and_needs_a_centre():
    plain = torch.full((1, 3, 9, 9), 0.3, dtype=torch.float64)
    torch.testing.assert_close(Blur()(plain), plain)
    with pytest.raises(ValueError, match="odd"):
        Blur(kernel_px=4)
