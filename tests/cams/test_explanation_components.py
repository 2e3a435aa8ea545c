"""The rules by which components pass operations, each against its definition."""

import pytest
import torch
from torch.nn import functional as F

from wsss.cams.fg_cam import explanation_components as rules

CLOSE = {"rtol": 1e-9, "atol": 1e-12}
BORDERS = {"stride": 2, "padding": 1}


def values(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def convolve(x, weight):
    return F.conv2d(x, weight, **BORDERS)


def for_each_class(rule, components):
    return torch.stack([rule(one) for one in components])


def shared_out(components, x, weight, contribution):
    """Every output's components, shared out in loops; outputs without contributions lose theirs."""
    result = torch.zeros(len(components), *x.shape, dtype=x.dtype)
    outputs = components.shape[-3:]
    for image in range(len(x)):
        for o, y, column in torch.cartesian_prod(*map(torch.arange, outputs)).tolist():
            parts = {}
            for k in range(x.shape[1]):
                for dy in range(weight.shape[2]):
                    for dx in range(weight.shape[3]):
                        row, col = 2 * y + dy - 1, 2 * column + dx - 1
                        if 0 <= row < x.shape[2] and 0 <= col < x.shape[3]:
                            value = float(x[image, k, row, col])
                            parts[k, row, col] = contribution(
                                image, value, float(weight[o, k, dy, dx])
                            )
            total = sum(parts.values())
            if total == 0:
                continue
            for n in range(len(components)):
                for where, part in parts.items():
                    share = part / total * components[n, image, o, y, column]
                    result[(n, image, *where)] += share
    return result


@pytest.mark.parametrize("sign", ["mixed", "positive"])
def test_a_convolution_shares_out_by_contributions_of_agreeing_signs(sign):
    x = values(2, 3, 5, 4)
    x = x.relu() if sign == "positive" else x
    weight, components = values(4, 3, 3, 3, seed=1), values(2, 2, 4, 3, 2, seed=2)
    found = for_each_class(rules.before_convolution(x, weight, convolve), components)
    expected = shared_out(
        components, x, weight, lambda _, v, w: v * w if v * w > 0 and v != 0 else 0
    )
    if sign == "positive":
        assert not expected[:, x == 0].any()
    torch.testing.assert_close(found, expected, **CLOSE)


def test_the_first_convolution_shares_out_within_the_images_bounds():
    x, weight = values(2, 3, 5, 4), values(4, 3, 3, 3, seed=1)
    components = values(2, 2, 4, 3, 2, seed=2)

    def contribution(image, value, w):
        low, high = float(x[image].min()), float(x[image].max())
        return value * w - low * max(w, 0) - high * min(w, 0)

    found = for_each_class(rules.before_first_convolution(x, weight, convolve), components)
    torch.testing.assert_close(found, shared_out(components, x, weight, contribution), **CLOSE)


def test_every_rule_conserves_the_sum():
    x, weight = values(2, 3, 6, 6), values(4, 3, 3, 3, seed=1)
    after_convolution = values(2, 2, 4, 3, 3, seed=2)
    after_pooling = values(2, 2, 3, 3, 3, seed=3)
    rules_and_components = [
        (rules.before_convolution(x, weight, convolve), after_convolution),
        (rules.before_first_convolution(x, weight, convolve), after_convolution),
        (rules.before_pooling(x.abs(), lambda v: F.max_pool2d(v, 2)), after_pooling),
        (rules.before_pooling(x.abs(), lambda v: F.adaptive_avg_pool2d(v, 3)), after_pooling),
    ]
    for rule, after in rules_and_components:
        before = for_each_class(rule, after)
        torch.testing.assert_close(
            before.sum(dim=(2, 3, 4)), after.sum(dim=(2, 3, 4)), rtol=1e-9, atol=1e-9
        )


def test_components_of_activations_pass_pooling_without_loss_even_where_it_is_zero():
    x = values(1, 3, 6, 6).relu() * (values(1, 3, 1, 1, seed=5) > -0.5)
    x[:, :, :2, :2] = 0
    pooled = F.max_pool2d(x, 2)
    components = values(2, 1, 3, 1, 1, seed=1) * pooled
    before = for_each_class(rules.before_pooling(x, lambda v: F.max_pool2d(v, 2)), components)
    torch.testing.assert_close(before.sum(dim=(2, 3, 4)), components.sum(dim=(2, 3, 4)), **CLOSE)


def test_the_denominator_of_the_first_convolution_is_never_negative():
    x, weight = values(3, 3, 8, 8), values(6, 3, 3, 3, seed=1)
    low, high = x.amin(dim=(1, 2, 3), keepdim=True), x.amax(dim=(1, 2, 3), keepdim=True)
    outputs = (
        convolve(x, weight)
        - convolve(low.expand_as(x), weight.clamp(min=0))
        - convolve(high.expand_as(x), weight.clamp(max=0))
    )
    assert outputs.min() > -1e-12


def seen_by(weight, size):
    """How much weight sees each position of every channel, relative to the mean, in loops."""
    seen = torch.zeros(weight.shape[1], *size, dtype=weight.dtype)
    outputs = [(side + 1) // 2 for side in size]
    for k, y, column, dy, dx in torch.cartesian_prod(
        *map(torch.arange, (weight.shape[1], *outputs, 3, 3))
    ).tolist():
        row, col = 2 * y + dy - 1, 2 * column + dx - 1
        if 0 <= row < size[0] and 0 <= col < size[1]:
            seen[k, row, col] += weight[:, k, dy, dx].abs().sum()
    return seen / seen.mean(dim=(1, 2), keepdim=True)


@pytest.mark.parametrize("sign", ["mixed", "positive"])
def test_positions_that_more_windows_see_count_less_where_that_is_asked_for(sign):
    x = values(2, 3, 5, 4)
    x = x.relu() if sign == "positive" else x
    weight, components = values(4, 3, 3, 3, seed=1), values(2, 2, 4, 3, 2, seed=2)
    rule = rules.before_convolution(x, weight, convolve, evenly=True)
    plus, minus = (seen_by(weight * (weight * side > 0), x.shape[2:]) for side in (1, -1))
    expected = shared_out(
        components,
        torch.where(x > 0, x / plus, x / minus),
        weight,
        lambda _, v, w: v * w if v * w > 0 and v != 0 else 0,
    )
    torch.testing.assert_close(for_each_class(rule, components), expected, **CLOSE)


@pytest.mark.parametrize("rule", [rules.before_convolution, rules.before_first_convolution])
@pytest.mark.parametrize("side_px", [3, 5])
def test_even_inputs_of_a_strided_convolution_get_even_components(rule, side_px):
    x = values(1, 4, 1, 1).abs().expand(1, 4, 24, 20).contiguous()
    weight = values(4, 1, side_px, side_px, seed=1).abs()

    def convolve_channels(inputs, kernel):
        return F.conv2d(inputs, kernel, stride=2, padding=side_px // 2, groups=4)

    components = values(1, 4, 1, 1, seed=2).expand(1, 4, 12, 10)
    even = rule(x, weight, convolve_channels, evenly=True)(components)[..., 6:-6, 6:-6]
    uneven = rule(x, weight, convolve_channels)(components)[..., 6:-6, 6:-6]
    # The image's smallest value, of the channel 3 here, has no contribution to share out by.
    torch.testing.assert_close(even, even.mean(dim=(2, 3), keepdim=True).expand_as(even), **CLOSE)
    assert even.any()
    spread = uneven.abs().amax(dim=(2, 3)) / uneven.abs().amin(dim=(2, 3))
    assert spread.nan_to_num().max() > 1.5


def test_positions_that_no_window_sees_get_nothing():
    x, components = values(1, 2, 6, 6).abs(), values(1, 3, 3, 3, seed=1)
    weight = values(3, 2, 1, 1, seed=2).abs()

    def sampled(inputs, kernel):
        return F.conv2d(inputs, kernel, stride=2)

    maps = rules.before_convolution(x, weight, sampled, evenly=True)(components)
    assert not maps[..., 1::2].any()
    assert not maps[..., 1::2, :].any()
    torch.testing.assert_close(maps.sum(), components.sum(), **CLOSE)


def test_an_identity_convolution_returns_the_components():
    x = values(1, 4, 3, 3).abs()
    weight = torch.eye(4, dtype=torch.float64)[:, :, None, None]
    components = values(2, 1, 4, 3, 3, seed=1)
    found = for_each_class(rules.before_convolution(x, weight, F.conv2d), components)
    torch.testing.assert_close(found, components, **CLOSE)


@pytest.mark.parametrize("rule", [rules.before_convolution, rules.before_first_convolution])
def test_nothing_is_derived_in_inference_mode_where_torch_may_give_zeros(rule):
    with (
        torch.inference_mode(),
        pytest.raises(RuntimeError, match=r"call it outside, or under torch\.no_grad\(\)"),
    ):
        rule(values(1, 2, 5, 5), values(3, 2, 3, 3), convolve)


def test_maximum_pooling_gives_everything_to_the_maximum():
    x = torch.tensor([[1.0, 2.0, 0.0, -1.0], [4.0, 3.0, -2.0, -3.0]], dtype=torch.float64)
    components = torch.tensor([[5.0, 7.0]], dtype=torch.float64)[None, None, None]
    rule = rules.before_pooling(x[None, None], lambda v: F.max_pool2d(v, 2))
    found = for_each_class(rule, components)
    expected = torch.zeros_like(x)
    expected[1, 0] = 5.0  # The second window has nothing positive.
    torch.testing.assert_close(found[0, 0, 0], expected, rtol=0, atol=0)


def test_an_addition_is_shared_out_by_positive_parts():
    one = torch.tensor([[3.0, -1.0, -1.0, 0.0]], dtype=torch.float64)
    other = torch.tensor([[1.0, 2.0, -5.0, 0.0]], dtype=torch.float64)
    share = rules.share_of_addition(one, other)
    assert share.flatten().tolist() == [0.75, 0.0, 0.5, 0.5]


@pytest.mark.parametrize(("shape", "rank"), [((12, 4, 5), 1), ((40, 6, 5), 3), ((30, 8, 9), 3)])
def test_denoised_components_are_of_low_rank_and_zero_mean(shape, rank):
    components = values(2, *shape) + 3
    matrix = rules.denoised(components, 0.1).flatten(-2)
    assert torch.linalg.matrix_rank(matrix).tolist() == [rank] * 2
    torch.testing.assert_close(
        matrix.mean(dim=-1), torch.zeros_like(matrix[..., 0]), rtol=0, atol=1e-12
    )


def test_denoising_keeps_all_but_the_mean_if_it_keeps_every_singular_value():
    components = values(5, 3, 4) + 3
    expected = components - components.mean(dim=(1, 2), keepdim=True)
    torch.testing.assert_close(rules.denoised(components, 1.0), expected, **CLOSE)
