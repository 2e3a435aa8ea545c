"""What the numba engine alone has; `test_engines.py` compares it with pydensecrf."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pytest

from wsss.refine import NumbaEngine
from wsss.refine.dense_crf import packing
from wsss.refine.dense_crf.numba_engine import WIDTHS, group_widths
from wsss.refine.dense_crf.numba_kernels import jit
from wsss.refine.dense_crf.numba_kernels.filtering import normalise
from wsss.refine.dense_crf.numba_kernels.lanes import load, store
from wsss.refine.dense_crf.numba_kernels.lattice import _build as build
from wsss.refine.dense_crf.numba_kernels.lattice import build_lattice
from wsss.refine.dense_crf.numba_kernels.many_channels import _filter as filter_group
from wsss.refine.dense_crf.numba_kernels.mean_field import mean_field
from wsss.refine.dense_crf.points import bilateral_features


def test_several_unaries_are_solved_as_alone_and_threads_change_no_byte(scene, unaries):
    rng = np.random.default_rng(0)
    images = [scene(rng, (40, 30 + number)) for number in range(6)]
    energies = [unaries(rng, 2, image.shape[:2]) for image in images]
    engine = NumbaEngine()
    alone = [engine(*pair) for pair in zip(images, energies, strict=True)]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(engine, images, energies))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
    pair = engine.solve(images[0], [energies[0], energies[0] * 2])
    np.testing.assert_array_equal(pair[0], alone[0])
    np.testing.assert_array_equal(pair[1], engine(images[0], energies[0] * 2))


def test_code_kept_on_disk_is_that_of_all_files_it_was_compiled_from():
    files = {
        Path(f.py_func.__code__.co_filename) for f in (mean_field, filter_group, build, normalise)
    }
    for path in Path(jit.__file__).parents[1].rglob("*.py"):
        if "import compiled" in (text := path.read_text()) or ", compiled" in text:
            files.add(path)
    assert files <= set(jit._FILES)
    for function in (mean_field, filter_group, build, normalise):
        assert jit.SOURCES in function._cache._cache_file._source_stamp


def test_an_engine_knows_whether_it_will_compile(scene, unaries, monkeypatch, tmp_path):
    rng = np.random.default_rng(0)
    image = scene(rng, (20, 30))
    NumbaEngine()(image, unaries(rng, 2, image.shape[:2]))
    assert not NumbaEngine().compiles_first()
    kept = normalise._cache._cache_file
    with monkeypatch.context() as patched:
        patched.setattr(kept, "_index_path", str(tmp_path / "none.nbi"))  # A fresh machine.
        assert NumbaEngine().compiles_first()
    with monkeypatch.context() as patched:
        patched.setattr(kept, "_source_stamp", ("other", "sources"))
        assert NumbaEngine().compiles_first()
    assert not NumbaEngine().compiles_first()


@pytest.mark.parametrize("kind", ["scene", "noise"])
def test_mixed_keys_make_the_lattice_of_keys_with_room(scene, following, kind, monkeypatch):
    rng = np.random.default_rng(0)
    size = (61, 83)
    image = scene(rng, size) if kind == "scene" else rng.integers(0, 256, (*size, 3), np.uint8)
    features = bilateral_features(image, 50, 5)
    expected = build_lattice(features)
    monkeypatch.setattr(packing, "KEY_BITS", 20)
    assert (packing.packing(features.max(axis=1)).units % 2**4 == 8).all()
    found = build_lattice(features)
    np.testing.assert_array_equal(found.weights, expected.weights)
    assert found.num_vertices == expected.num_vertices
    number = np.zeros(expected.num_vertices, dtype=np.int64)  # of the same vertex over there
    number[expected.corners] = found.corners
    np.testing.assert_array_equal(number[expected.corners], found.corners)
    for there, here in zip(following(found), following(expected), strict=True):
        np.testing.assert_array_equal(there[number], number[here])


def test_lanes_are_sums_and_products_of_numbers():
    values = np.random.default_rng(0).normal(size=48).astype(np.float32)

    @numba.njit
    def combine(target, source, factor, width):
        for start in range(0, 32, len(width)):
            lanes = load(source, start, width)
            store(target, start, lanes + factor * load(source, start + 7, width))

    for width in (1, 2, 4, 8, 16):
        found = np.zeros(32, dtype=np.float32)
        combine(found, values, np.float32(1.7), (0,) * width)
        np.testing.assert_array_equal(found, values[:32] + np.float32(1.7) * values[7:39])


@pytest.mark.parametrize("num_labels", [2, 5, 21])
def test_rounding_does_not_add_up_over_iterations(num_labels, scene, unaries, in_float64):
    rng = np.random.default_rng(0)
    image, energies = scene(rng, (120, 160)), unaries(rng, num_labels, (120, 160))
    exact = in_float64(image, energies, {"num_iterations": 30})
    found = NumbaEngine(num_iterations=30)(image, energies)
    np.testing.assert_allclose(found, exact, atol=5e-5)


@pytest.mark.parametrize("num_channels", [1, 2, 3, 7, 16, 17, 20, 32, 80])
def test_groups_hold_all_channels_and_little_more(num_channels):
    widths = group_widths(num_channels)
    assert set(widths) <= set(WIDTHS)
    assert num_channels <= sum(widths) < num_channels + widths[0]
    assert all(width == WIDTHS[-1] for width in widths[1:])


def test_labels_that_are_nowhere_are_left_out_of_the_filters(
    scene, unaries, in_float64, monkeypatch
):
    rng = np.random.default_rng(0)
    image, size = scene(rng, (60, 80)), (60, 80)
    absent = 40 + rng.random((18, *size), dtype=np.float32)
    energies = np.concatenate([unaries(rng, 3, size), absent])
    calls = []

    def counted(messages, *arguments):
        calls.append(len(messages))
        filter_group(messages, *arguments)

    monkeypatch.setattr("wsss.refine.dense_crf.numba_kernels.many_channels._filter", counted)
    found = NumbaEngine(num_iterations=5)(image, energies)
    expected = in_float64(image, energies, {"num_iterations": 5})
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert calls
    assert len(calls) < 2 * 5  # of the two groups one never moves after the first iteration
