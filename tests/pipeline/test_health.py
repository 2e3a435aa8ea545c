import json

import numpy as np
import pytest

from wsss.artifacts import SeedStore
from wsss.data.sample import Item
from wsss.report.health import health

AT_TWO_SCALES = ("localize.scales.factors=[1.0,1.5]", "stages=[localize,refine]")


@pytest.fixture(scope="module")
def at_two_scales(run, finished):
    return run(finished["classify"].folder.parents[1], *AT_TWO_SCALES)


def test_a_run_measures_the_health_of_its_pseudo_masks_without_any_mask(at_two_scales, finished):
    found = health({stage: outcome.folder for stage, outcome in at_two_scales.items()})
    assert all(0 <= value <= 1 for value in found.values())
    assert found["coverage"] + found["void_fraction"] == pytest.approx(1)
    shares = [value for name, value in found.items() if name.startswith("class_share/")]
    assert sum(shares) == pytest.approx(1)
    statistics = (at_two_scales["localize"].folder / "statistics").iterdir()
    of_images = [json.loads(path.read_text())["scale_agreement"] for path in statistics]
    assert found["scale_agreement"] == pytest.approx(np.mean(of_images))
    assert len(set(of_images)) > 1
    # One scale has no other to agree with.
    assert "scale_agreement" not in health({"localize": finished["localize"].folder})


def test_images_that_were_not_measured_are_left_out_when_a_stage_goes_on(
    run, at_two_scales, finished
):
    folder = at_two_scales["localize"].folder
    tagged = sorted((folder / "statistics").iterdir())
    value = json.loads(tagged[0].read_text())["scale_agreement"]
    lost = SeedStore(folder / "seeds").path(Item(tagged[1].stem, ()))
    seeds = lost.read_bytes()
    for path in tagged[1:]:
        path.unlink()
    (folder / "manifest.json").unlink()
    (folder / "metrics.json").unlink()
    again = run(finished["classify"].folder.parents[1], *AT_TWO_SCALES)
    assert health({"localize": again["localize"].folder})["scale_agreement"] == value
    lost.unlink()
    (folder / "manifest.json").unlink()
    run(finished["classify"].folder.parents[1], *AT_TWO_SCALES)
    assert lost.read_bytes() == seeds
    assert tagged[1].is_file()
