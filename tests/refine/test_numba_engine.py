"""What the numba engine alone has; `test_engines.py` compares it with pydensecrf."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pytest

from wsss.refine import NumbaEngine
from wsss.refine.dense_crf import jit
from wsss.refine.dense_crf.filtering import normalise
from wsss.refine.dense_crf.lanes import load, store
from wsss.refine.dense_crf.lattice import _build as build
from wsss.refine.dense_crf.mean_field import mean_field


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
    files = {Path(f.py_func.__code__.co_filename).stem for f in (mean_field, build, normalise)}
    for path in Path(jit.__file__).parent.glob("*.py"):
        if "import compiled" in (text := path.read_text()) or ", compiled" in text:
            files.add(path.stem)
    assert files <= set(jit._FILES)
    for function in (mean_field, build, normalise):
        assert jit.SOURCES in function._cache._cache_file._source_stamp


def test_lanes_are_sums_and_products_of_numbers():
    values = np.random.default_rng(0).normal(size=40).astype(np.float32)

    @numba.njit
    def combine(target, source, factor, width):
        for start in range(0, 24, len(width)):
            lanes = load(source, start, width)
            store(target, start, lanes + factor * load(source, start + 7, width))

    for width in (1, 2, 4, 8):
        found = np.zeros(24, dtype=np.float32)
        combine(found, values, np.float32(1.7), (0,) * width)
        np.testing.assert_array_equal(found, values[:24] + np.float32(1.7) * values[7:31])


@pytest.mark.parametrize("num_labels", [2, 5])
def test_rounding_does_not_add_up_over_iterations(num_labels, scene, unaries, in_float64):
    rng = np.random.default_rng(0)
    image, energies = scene(rng, (120, 160)), unaries(rng, num_labels, (120, 160))
    exact = in_float64(image, energies, {"num_iterations": 30})
    found = NumbaEngine(num_iterations=30)(image, energies)
    np.testing.assert_allclose(found, exact, atol=5e-5)
