"""`wsss.dense_crf`: the engine's posteriors, in the type that came."""

import numpy as np
import pytest
import torch
from PIL import Image

import wsss
from wsss.errors import WsssError
from wsss.refine.dense_crf.numba_engine import NumbaEngine


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (14, 18, 3), dtype=np.uint8)
    scores = rng.random((3, 14, 18))
    return image, scores / scores.sum(axis=0)


def test_the_posterior_is_that_of_the_engine(problem):
    image, probabilities = problem
    engine = NumbaEngine(bilateral_sxy_px=20, num_iterations=3)
    expected = engine(image, -np.log(probabilities).astype(np.float32))
    found = wsss.dense_crf(image, probabilities, bilateral_sxy_px=20, num_iterations=3)
    assert found.dtype == probabilities.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=0), 1, rtol=1e-5)


@pytest.mark.parametrize("engine", ["numba", "torch", "pydensecrf"])
def test_every_engine_is_there_by_its_name(problem, engine):
    image, probabilities = problem
    expected = wsss.dense_crf(image, probabilities, num_iterations=2)
    found = wsss.dense_crf(image, probabilities, num_iterations=2, engine=engine)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_without_kernels_nothing_changes(problem):
    image, probabilities = problem
    found = wsss.dense_crf(image, probabilities, gaussian_compat=0, bilateral_compat=0)
    np.testing.assert_allclose(found, probabilities, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_arrays_keep_their_type(problem, dtype):
    image, probabilities = problem
    found = wsss.dense_crf(image, probabilities.astype(dtype), num_iterations=1)
    assert found.dtype == dtype
    assert not np.shares_memory(found, probabilities)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tensors_stay_tensors_of_their_type_and_place(problem, dtype, device):
    image, probabilities = problem
    given = torch.from_numpy(probabilities).to(device, dtype)
    pixels = torch.from_numpy(image).permute(2, 0, 1)
    found = wsss.dense_crf(pixels, given, num_iterations=1)
    assert found.dtype == dtype
    assert found.device == given.device
    expected = wsss.dense_crf(image, probabilities, num_iterations=1)
    tolerance = 0.05 if dtype is torch.bfloat16 else 5e-3
    np.testing.assert_allclose(found.float().cpu().numpy(), expected, atol=tolerance)


def test_images_are_taken_in_every_form(problem, tmp_path):
    image, probabilities = problem
    expected = wsss.dense_crf(image, probabilities, num_iterations=1)
    Image.fromarray(image).save(tmp_path / "a.png")
    for other in (image / 255, Image.fromarray(image), tmp_path / "a.png"):
        found = wsss.dense_crf(other, probabilities, num_iterations=1)
        np.testing.assert_array_equal(found, expected)


def test_the_networks_graph_is_left_alone(problem):
    image, probabilities = problem
    given = torch.from_numpy(probabilities).requires_grad_()
    assert not wsss.dense_crf(image, given, num_iterations=1).requires_grad


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p[:, :-1], r"shape \[3, 13, 18\] for an image of 14 × 18.*Resize"),
        (lambda p: p[0], r"shape \[14, 18\]"),
        (lambda p: p[None], r"shape \[1, 3, 14, 18\]"),
        (lambda p: p[:0], r"shape \[0, 14, 18\]"),
        (lambda p: np.log(p), "as logits have them.*softmax"),
        (lambda p: 5 * p, "as logits have them.*softmax"),
        (lambda p: p[1:], "sums over the labels from .*Add the background"),
        (lambda p: np.where(p == p.max(), np.nan, p), "NaN or infinite"),
        (lambda p: np.where(p == p.max(), np.inf, p), "NaN or infinite"),
        (lambda p: (p > 0.5).astype(np.uint8), "uint8.*floats"),
        (lambda p: p.tolist(), "list.*floats"),
    ],
)
def test_what_are_no_probabilities_is_refused_in_words(problem, change, words):
    image, probabilities = problem
    with pytest.raises(WsssError, match=words):
        wsss.dense_crf(image, change(probabilities))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"engine": "nunba"}, "no engine `nunba`. Expected `numba`"),
        ({"bilateral_sxy": 20}, "no setting `bilateral_sxy`. Expected `bilateral_sxy_px`"),
        ({"bilateral_sxy_px": 0}, "bilateral_sxy_px=0: expected a number above 0"),
        ({"bilateral_sxy_px": "a"}, "bilateral_sxy_px: 'a'. Expected a number"),
        ({"num_iterations": 1.5}, "num_iterations: 1.5. Expected a whole number"),
        ({"num_iterations": -1}, "num_iterations=-1"),
        ({"device": "cuda"}, "cuda.*computes on the CPU"),
    ],
)
def test_settings_are_checked(problem, settings, words):
    with pytest.raises(WsssError, match=words):
        wsss.dense_crf(*problem, **settings)


def test_colours_on_no_scale_are_refused(problem):
    image, probabilities = problem
    with pytest.raises(WsssError, match="levels of 0…255 as floats"):
        wsss.dense_crf(image.astype(np.float32), probabilities)
