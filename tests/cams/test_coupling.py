import pytest
import torch

from wsss.cams.ad_cam.coupling import (
    AGREEMENTS,
    Diffusion,
    Product,
    TransCamSum,
    diffuse,
    overlap,
    shares,
)
from wsss.models.attention import patch_attention

N = 12


def random_attention(seed=0, batch=2, tokens=N + 1):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(batch, tokens, tokens, dtype=torch.float64, generator=generator)
    return (2 * scores).softmax(dim=2)


def random_maps(seed=5):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, N, dtype=torch.float64, generator=generator)


def with_class_token(attention):
    """Attention of patches with a class token that attends to all, and gets nothing."""
    tokens = torch.zeros(len(attention), N + 1, N + 1, dtype=attention.dtype)
    tokens[:, 0] = 1 / (N + 1)
    tokens[:, 1:, 1:] = attention
    return tokens


def naive(maps, attention, agreement, direction, steps, eta):
    """The formulas, a pair of patches at a time."""
    result = torch.zeros_like(maps)
    for b in range(len(maps)):
        a = attention[b, 1:, 1:].tolist()
        a = [[x / sum(row) for x in row] for row in a]
        refined = [[0.0] * N for _ in range(N)]
        for i in range(N):
            for j in range(N):
                pairs = list(zip(a[i], a[j], strict=True))
                if agreement == "overlap":
                    s = sum(min(x, y) for x, y in pairs)
                elif agreement == "bhattacharyya":
                    s = sum((x * y) ** 0.5 for x, y in pairs)
                else:
                    norms = [sum(x * x for x in row) ** 0.5 for row in (a[i], a[j])]
                    s = sum(x * y for x, y in pairs) / (norms[0] * norms[1])
                refined[i][j] = a[i][j] * s
        p = [[x / sum(row) for x in row] for row in refined]
        for c in range(maps.shape[1]):
            m = maps[b, c].tolist()
            for _ in range(steps):
                if direction == "scatter":
                    moved = [sum(m[i] * p[i][j] for i in range(N)) for j in range(N)]
                else:
                    moved = [sum(p[i][j] * m[j] for j in range(N)) for i in range(N)]
                m = [(1 - eta) * x + eta * y for x, y in zip(m, moved, strict=True)]
            result[b, c] = torch.tensor(m, dtype=maps.dtype)
    return result


@pytest.mark.parametrize("agreement", AGREEMENTS)
@pytest.mark.parametrize(
    ("direction", "steps", "eta"), [("scatter", 1, 1.0), ("gather", 1, 1.0), ("scatter", 3, 0.4)]
)
def test_diffusion_is_the_formula(agreement, direction, steps, eta):
    maps, attention = random_maps(), random_attention()
    options = {"agreement": agreement, "direction": direction, "steps": steps, "eta": eta}
    found = Diffusion(**options)(maps, attention)
    expected = naive(maps, attention, **options)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_a_sum_over_layers_diffuses_like_their_mean():
    maps, attention = random_maps(), random_attention()
    found = Diffusion()(maps, 12 * attention)
    torch.testing.assert_close(found, Diffusion()(maps, attention), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("agreement", AGREEMENTS)
@pytest.mark.parametrize("direction", ["scatter", "gather"])
def test_attention_to_oneself_leaves_maps_unchanged(agreement, direction):
    maps = random_maps()
    attention = with_class_token(torch.eye(N, dtype=torch.float64).expand(2, N, N))
    found = Diffusion(agreement=agreement, direction=direction, steps=3)(maps, attention)
    assert torch.equal(found, maps)


@pytest.mark.parametrize("agreement", AGREEMENTS)
@pytest.mark.parametrize("steps", [1, 4])
def test_no_activation_is_lost(agreement, steps):
    maps = random_maps()
    found = Diffusion(agreement=agreement, steps=steps, eta=0.7)(maps, random_attention())
    torch.testing.assert_close(found.sum(dim=2), maps.sum(dim=2), rtol=1e-12, atol=0)
    assert not torch.allclose(found, maps)


@pytest.mark.parametrize("agreement", AGREEMENTS)
@pytest.mark.parametrize("direction", ["scatter", "gather"])
def test_nothing_leaks_between_blocks_without_attention(agreement, direction):
    attention = torch.zeros(2, N, N, dtype=torch.float64)
    attention[:, :5, :5] = random_attention(1, tokens=5)
    attention[:, 5:, 5:] = random_attention(2, tokens=7)
    maps = random_maps()
    maps[:, :, 5:] = 0
    coupling = Diffusion(agreement=agreement, direction=direction, steps=3)
    found = coupling(maps, with_class_token(attention))
    assert (found[:, :, 5:] == 0).all()
    assert (found[:, :, :5] > 0).all()


@pytest.mark.parametrize("agreement", AGREEMENTS.values(), ids=AGREEMENTS)
def test_agreement_is_whole_with_itself_and_between_equals(agreement):
    attention = patch_attention(random_attention())
    found = agreement(attention)
    ones = torch.ones(2, N, dtype=torch.float64)
    torch.testing.assert_close(found.diagonal(dim1=1, dim2=2), ones, rtol=1e-12, atol=0)
    assert (found >= 0).all()
    assert (found <= 1).all()
    assert (attention * found <= attention).all()
    assert found.min() < 0.9
    even = torch.full((2, N, N), 1 / N, dtype=torch.float64)
    torch.testing.assert_close(agreement(even), torch.ones_like(even), rtol=1e-12, atol=0)


def test_shares_sum_to_one_and_disagreement_costs():
    attention = patch_attention(random_attention())
    found = shares(attention)
    torch.testing.assert_close(found.sum(dim=2), torch.ones(2, N, dtype=torch.float64))
    refined = attention * overlap(attention)
    torch.testing.assert_close(found, refined / refined.sum(dim=2, keepdim=True))


@pytest.mark.parametrize("agreement", AGREEMENTS)
def test_no_tensor_is_larger_than_the_attention(agreement, largest_tensor):
    attention = random_attention(batch=2, tokens=61)
    maps = torch.rand(2, 3, 60, dtype=torch.float64)
    coupling = Diffusion(agreement=agreement, steps=2)
    assert largest_tensor(lambda: coupling(maps, attention)) <= attention.numel()


def test_single_precision_overlap_stays_in_range():
    attention = patch_attention(random_attention(batch=1, tokens=N + 1)).float()
    found = overlap(attention)
    assert (found >= 0).all()
    assert (found <= 1).all()
    torch.testing.assert_close(found.double(), overlap(attention.double()), atol=1e-6, rtol=0)


@pytest.mark.parametrize("options", [{"steps": 0}, {"eta": 0.0}, {"steps": 5, "eta": 0.0}])
def test_without_a_step_maps_stay(options):
    maps = random_maps()
    assert torch.equal(Diffusion(**options)(maps, random_attention()), maps)


@pytest.mark.parametrize("coupling", [Diffusion(), Diffusion(direction="gather"), TransCamSum()])
def test_relabelled_patches_have_relabelled_maps(coupling):
    order = torch.randperm(N, generator=torch.Generator().manual_seed(0))
    tokens = torch.cat([torch.zeros(1, dtype=torch.int64), 1 + order])
    maps, attention = random_maps(), random_attention()
    found = coupling(maps[:, :, order], attention[:, tokens][:, :, tokens])
    torch.testing.assert_close(found, coupling(maps, attention)[:, :, order])


def test_diffusion_is_a_matrix_power():
    maps, p = random_maps(), shares(patch_attention(random_attention()))
    expected = maps @ torch.linalg.matrix_power(0.75 * torch.eye(N) + 0.25 * p, 3)
    torch.testing.assert_close(diffuse(maps, p, steps=3, eta=0.25), expected)


def test_baselines_are_their_formulas():
    maps, attention = random_maps(), random_attention()
    weighted, summed = Product()(maps, attention), TransCamSum()(maps, attention)
    for b in range(2):
        for c in range(3):
            for i in range(N):
                assert weighted[b, c, i] == attention[b, 0, 1 + i] * maps[b, c, i]
                total = sum(attention[b, 1 + i, 1 + j] * maps[b, c, j] for j in range(N))
                torch.testing.assert_close(summed[b, c, i], total, rtol=1e-9, atol=0)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"agreement": "sameness"}, "'overlap', 'bhattacharyya', 'cosine'"),
        ({"direction": "up"}, "'scatter', 'gather'"),
        ({"steps": -1}, "steps=-1: expected a whole number, 0 or more"),
        ({"eta": 1.5}, "eta=1.5: expected a number from 0 to 1"),
    ],
)
def test_options_out_of_range_are_refused(options, expected):
    with pytest.raises(ValueError, match=expected):
        Diffusion(**options)
