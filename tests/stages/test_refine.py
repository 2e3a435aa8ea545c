import json

import numpy as np
import pytest
from scipy.stats import entropy

from wsss.artifacts import LabelStore, Seeds, SeedStore, seed_size
from wsss.data.sources.synthetic.synthetic import Synthetic
from wsss.errors import WsssError
from wsss.refine import CrfRefinement, NumbaEngine, Otsu, OtsuMean, Pooled, Threshold
from wsss.refine.thresholds import FixedThreshold, count_levels
from wsss.stage_tools.context import Context
from wsss.stages import refine

NUM_IMAGES = 5
SIZE_PX = 64


@pytest.fixture(scope="module")
def source():
    return Synthetic(num_train=NUM_IMAGES, num_val=1, size_px=SIZE_PX)


def seeds_of(item, size):
    rng = np.random.default_rng(len(item.id) + int(item.id[-1]))
    rows, columns = np.mgrid[: seed_size(*size)[0], : seed_size(*size)[1]]
    maps = []
    for _ in item.labels:
        row, column = rng.uniform(0, 1, 2) * rows.shape
        distance = (rows - row) ** 2 + (columns - column) ** 2
        maps.append(np.exp(-distance / rng.uniform(5, 40)))
    shape = (len(maps), *rows.shape)
    return Seeds(
        np.array(item.labels, dtype=np.uint16), np.reshape(maps, shape).astype(np.float16), size
    )


@pytest.fixture(scope="module")
def localized(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("localize")
    store = SeedStore(folder / "seeds")
    for item in source.items("train"):
        store.write(item, seeds_of(item, source.read_image(item).shape[:2]))
    return folder


@pytest.fixture
def stage(source, localized):
    def execute(folder, workers=0, **settings):
        folder.mkdir(exist_ok=True)
        context = Context(source, folder, {"localize": localized}, workers=workers)
        return refine.run(context, **settings)

    return execute


def content(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def crf(rule):
    return CrfRefinement(NumbaEngine(num_iterations=2), rule, void_factor=1.2)


def test_a_pooled_threshold_is_that_of_all_seeds_together(stage, source, localized, tmp_path):
    numbers = stage(tmp_path, method=Threshold(Pooled(Otsu())))
    store = SeedStore(localized / "seeds")
    strongest = [store.read(item).maps.max(axis=0).ravel() for item in source.items("train")]
    expected = Otsu()(np.concatenate(strongest)[None, None])
    assert numbers["bg_threshold"] == expected
    written = json.loads((tmp_path / "background.json").read_text())
    assert written["threshold"] == expected
    assert written["images"] == NUM_IMAGES
    assert sum(written["counts"]) == sum(map(len, strongest))
    fixed = tmp_path.with_name("fixed")
    stage(fixed, method=Threshold(expected))
    for item in source.items("train"):
        masks = [LabelStore(folder / "masks").read(item) for folder in (tmp_path, fixed)]
        np.testing.assert_array_equal(*masks)


def test_a_rule_of_single_images_needs_no_pass_over_the_data_set(stage, tmp_path):
    numbers = stage(tmp_path, method=Threshold(OtsuMean()))
    assert "bg_threshold" not in numbers
    assert not (tmp_path / "background.json").exists()


def test_other_workers_and_an_interruption_change_no_byte(stage, source, tmp_path):
    settings = {"method": crf(Pooled(OtsuMean())), "min_region_px": 20}
    first, second = tmp_path / "first", tmp_path / "second"
    numbers = stage(first, **settings)
    expected = content(first)
    assert len(expected) == 2 * NUM_IMAGES + 2
    assert stage(second, workers=2, **settings) == numbers
    assert content(second) == expected
    for item in source.items("train")[1:3]:
        (second / "masks" / f"{item.file_stem}.png").unlink()
    untouched = source.items("train")[0].file_stem
    before = (second / "masks" / f"{untouched}.png").stat().st_mtime_ns
    assert stage(second, **settings) == numbers
    assert content(second) == expected
    assert (second / "masks" / f"{untouched}.png").stat().st_mtime_ns == before


def test_an_estimate_that_was_written_is_not_made_again(stage, tmp_path):
    (tmp_path / "background.json").write_text('{"threshold": 0.125}')
    assert stage(tmp_path, method=Threshold(Pooled(Otsu())))["bg_threshold"] == 0.125


@pytest.mark.parametrize("keep_tags", [True, False])
def test_a_vanished_tag_comes_back_and_is_counted(stage, source, tmp_path, keep_tags):
    numbers = stage(tmp_path, method=Threshold(0.9999), keep_tags=keep_tags)
    restored = 0
    for item in source.items("train"):
        present = set(np.unique(LabelStore(tmp_path / "masks").read(item)).tolist())
        assert present <= {0, *item.labels}
        statistics = json.loads((tmp_path / "statistics" / f"{item.file_stem}.json").read_text())
        restored += bool(statistics["restored"])
        if keep_tags:
            assert present == {0, *item.labels}
        else:
            assert set(item.labels) - present or not statistics["restored"]
    assert numbers["images_restored"] == restored
    assert bool(restored) == keep_tags


def test_statistics_are_those_of_the_masks(stage, source, tmp_path):
    numbers = stage(tmp_path, method=crf(OtsuMean()), min_region_px=30)
    masks = [LabelStore(tmp_path / "masks").read(item) for item in source.items("train")]
    void = np.mean([(mask == 255).mean() for mask in masks])
    foreground = np.mean([((mask > 0) & (mask < 255)).mean() for mask in masks])
    assert void > 0
    assert numbers["images"] == NUM_IMAGES
    assert numbers["void_fraction"] == pytest.approx(void)
    assert numbers["coverage"] == pytest.approx(1 - void)
    assert numbers["foreground_fraction"] == pytest.approx(foreground)
    shares = json.loads((tmp_path / "metrics.json").read_text())["class_shares"]
    pixels = np.concatenate([mask.ravel() for mask in masks])
    assert list(shares) == ["background", *source.class_names]
    for label, share in enumerate(shares.values()):
        assert share == pytest.approx((pixels == label).sum() / (pixels != 255).sum())
    assert sum(shares.values()) == pytest.approx(1)


def test_masks_are_compared_with_the_seeds_they_were_made_of(stage, source, localized, tmp_path):
    """Thresholded seeds lie within their own masks; what a CRF has changed agrees less."""
    store = SeedStore(localized / "seeds")
    seeds = [store.read(item) for item in source.items("train") if item.labels]
    scores = [np.concatenate([np.full((1, *s.maps.shape[1:]), 0.3), s.maps]) for s in seeds]
    expected = np.mean([entropy(s, base=len(s), axis=0).mean() for s in scores])
    kept = stage(tmp_path / "kept", method=Threshold(0.3))
    refined = stage(tmp_path / "refined", method=crf(FixedThreshold(0.3)))
    assert kept["seed_entropy"] == pytest.approx(expected, abs=1e-5)
    assert refined["seed_entropy"] == kept["seed_entropy"]
    assert refined["seed_agreement"] < kept["seed_agreement"] <= 1
    assert kept["seed_agreement"] > 0.9
    metrics = json.loads((tmp_path / "kept" / "metrics.json").read_text())
    assert metrics["seed_agreement"] == kept["seed_agreement"]


def test_statistics_of_an_earlier_version_need_no_comparison(stage, source, tmp_path):
    stage(tmp_path, method=Threshold(0.3))
    for path in (tmp_path / "statistics").iterdir():
        statistics = json.loads(path.read_text())
        del statistics["compared"]
        path.write_text(json.dumps(statistics))
    assert "seed_agreement" not in stage(tmp_path, method=Threshold(0.3))


def test_levels_of_seeds_are_counted_at_their_own_size(source, localized):
    seeds = SeedStore(localized / "seeds").read(source.items("train")[0])
    assert count_levels(seeds.maps).sum() == seeds.maps[0].size


def test_batches_make_the_masks_of_single_images_and_an_item_that_fails_stops_no_other(
    stage, source, tmp_path
):
    """An engine that wants batches, and solves them one by one."""

    class Batched(NumbaEngine):
        in_batches = True

        def _solve(self, image, unaries):
            raise AssertionError("a batch was taken apart")

        def _solve_batch(self, images, unaries):
            sizes.append(len(images))
            return [NumbaEngine._solve(self, *pair) for pair in zip(images, unaries, strict=True)]

    sizes = []
    method = CrfRefinement(Batched(num_iterations=2), OtsuMean(), void_factor=1.2)
    stage(tmp_path / "batches", method=method, batch_size=2)
    assert sizes == [2, 2, 1]
    stage(tmp_path / "single", method=crf(OtsuMean()))
    assert content(tmp_path / "batches") == content(tmp_path / "single")


def test_batches_are_bounded_in_pixels_at_the_size_they_are_refined_at(stage, source, tmp_path):
    class Batched(NumbaEngine):
        in_batches = True

        def _solve_batch(self, images, unaries):
            sizes.append([image.shape[0] * image.shape[1] for image in images])
            return super()._solve_batch(images, unaries)

    def batches_of(name, bound, **settings):
        sizes.clear()
        method = CrfRefinement(Batched(num_iterations=1), OtsuMean(), **settings)
        stage(tmp_path / name, method=method, max_batch_px=bound)
        return sizes

    sizes = []
    (whole,) = batches_of("whole", 10**9)
    assert len(whole) == NUM_IMAGES
    assert batches_of("full", sum(whole)) == [whole]
    assert batches_of("two", sum(whole) - 1) == [whole[:-1], whole[-1:]]
    assert batches_of("alone", 1) == [[one] for one in whole]
    (shrunk,) = batches_of("shrunk", sum(whole) // 3, max_side_px=SIZE_PX // 2)
    assert sum(shrunk) <= sum(whole) // 3


@pytest.mark.parametrize("name", ["batch_size", "max_batch_px", "min_region_px"])
def test_wrong_settings_are_named(source, tmp_path, name):
    with pytest.raises(WsssError, match=f"^{name}=-1: "):
        refine.check(Context(source, tmp_path), method=Threshold(), **{name: -1})


def test_a_batch_that_fails_is_done_one_by_one(stage, source, tmp_path):
    broken = source.items("train")[1]
    image = source.read_image(broken)

    class Fragile(NumbaEngine):
        in_batches = True

        def _solve(self, image_, unaries):
            if np.array_equal(image_, image):
                raise ValueError("this one")
            return super()._solve(image_, unaries)

    folder = tmp_path / "run"
    with pytest.raises(WsssError, match="this one"):
        stage(folder, method=CrfRefinement(Fragile(num_iterations=1)), batch_size=4)
    masks = LabelStore(folder / "masks")
    assert [masks.has(item) for item in source.items("train")] == [True, False, True, True, True]
