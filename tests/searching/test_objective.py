import pytest

from wsss.errors import WsssError
from wsss.searching.objective import (
    best_of_search,
    check_computed,
    note_search,
    reads_masks,
    value_of,
)


@pytest.mark.parametrize(
    ("objective", "oracle"),
    [("segment/pseudo_miou", False), ("refine/coverage", False), ("evaluate/seeds_miou", True)],
)
def test_an_objective_that_takes_ground_truth_is_stamped(tmp_path, objective, oracle):
    assert reads_masks(objective) is oracle
    note_search(tmp_path, objective, "maximize", (7, 0.25))
    said = best_of_search(tmp_path)
    assert f"Run 7 has the largest {objective}: 0.25" in said
    assert ("oracle" in said) is oracle


@pytest.mark.parametrize("objective", ["refin/coverage", "coverage", "segment"])
def test_an_objective_of_no_stage_is_refused(objective):
    with pytest.raises(WsssError, match=r"hydra\.sweeper\.objective"):
        reads_masks(objective)


def test_an_objective_that_no_run_computes_is_refused():
    check_computed("refine/coverage", ["localize", "refine"])
    with pytest.raises(WsssError, match="segment among them"):
        check_computed("segment/pseudo_miou", ["classify", "localize"])


def test_a_number_that_no_run_has_is_told_with_those_it_has():
    assert value_of("refine/coverage", {"refine/coverage": 1}) == 1.0
    with pytest.raises(
        WsssError, match=r"did you mean 'refine/coverage'.*refine/coverage, refine/images"
    ):
        value_of("refine/cover", {"refine/coverage": 1, "refine/images": 2})


def test_another_sweep_has_no_best_run(tmp_path):
    assert best_of_search(tmp_path) is None
