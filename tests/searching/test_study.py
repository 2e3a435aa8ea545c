"""Trials of a study: the space they are from, and going on after a search was killed."""

import pytest

pytest.importorskip("optuna", reason="needs the extra optuna")

from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from wsss.errors import LibraryError
from wsss.searching.search_space import fixed_words, search_space, words_of
from wsss.searching.study import SearchSettings, Study
from wsss.settings.overrides import parse

SPACE = {"x": FloatDistribution(-5, 5), "y": CategoricalDistribution(["0", "1"])}


def objective(values):
    return -((values["x"] - 1) ** 2) + int(values["y"])


def settings(**more):
    return SearchSettings("segment/pseudo_miou", n_trials=14, **more)


def search(folder, killed_after=None, ask_again=False, **more):
    """Run trials until all are told, or until a number of results is reached."""
    study, tried = Study(folder, SPACE, settings(**more)), []
    for batch in study.batches():
        for trial in batch:
            if killed_after is not None and len(tried) == killed_after:
                return tried
            tried.append((trial.number, trial.values["x"], trial.values["y"]))
            study.tell(trial.number, objective(trial.values))
    return tried


@pytest.mark.parametrize("n_jobs", [1, 4])
@pytest.mark.parametrize("killed_after", [0, 5, 12])
def test_a_search_that_was_killed_goes_on_as_it_would_have(tmp_path, n_jobs, killed_after):
    whole = search(tmp_path / "whole", n_jobs=n_jobs)
    assert len(whole) == 14
    before = search(tmp_path / "killed", killed_after, n_jobs=n_jobs)
    assert before + search(tmp_path / "killed", n_jobs=n_jobs) == whole


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_a_search_that_was_killed_while_it_asked_asks_again(tmp_path, monkeypatch, n_jobs):
    whole = search(tmp_path / "whole", n_jobs=n_jobs)

    class KilledError(Exception):
        pass

    study = Study(tmp_path / "killed", SPACE, settings(n_jobs=n_jobs))
    ask = study._study.ask
    times = 0

    def ask_half(space):
        nonlocal times
        times += 1
        if times > n_jobs // 2:
            ask({"x": space["x"]})
            raise KilledError
        return ask(space)

    monkeypatch.setattr(study._study, "ask", ask_half)
    with pytest.raises(KilledError):
        next(study.batches())
    again = search(tmp_path / "killed", n_jobs=n_jobs)
    assert [values for _, *values in again] == [values for _, *values in whole]


def test_a_finished_search_has_nothing_to_do_and_more_trials_continue_it(tmp_path):
    search(tmp_path)
    assert search(tmp_path) == []
    study = Study(tmp_path, SPACE, SearchSettings("segment/pseudo_miou", n_trials=15))
    assert [trial.number for trial in next(study.batches())] == [14]


def test_the_best_trial_is_that_of_the_largest_or_smallest_objective(tmp_path):
    largest = search(tmp_path / "largest")
    values = {number: -((x - 1) ** 2) + int(y) for number, x, y in largest}
    study = Study(tmp_path / "largest", SPACE, settings())
    assert study.best() == max(values.items(), key=lambda pair: pair[1])
    smallest = search(tmp_path / "smallest", direction="minimize", sampler="random")
    values = {number: -((x - 1) ** 2) + int(y) for number, x, y in smallest}
    study = Study(tmp_path / "smallest", SPACE, settings(direction="minimize", sampler="random"))
    assert study.best() == min(values.items(), key=lambda pair: pair[1])


def test_a_trial_that_failed_counts_and_is_never_the_best(tmp_path):
    study = Study(tmp_path, SPACE, SearchSettings("segment/pseudo_miou", n_trials=2))
    for batch in study.batches():
        for trial in batch:
            study.tell(trial.number, None)
    assert study.best() is None


def test_words_with_several_values_are_the_space():
    overrides = parse(
        [
            "seed=3", "a=x,y", "b=interval(0,1)", "c=int(interval(1,5))",
            "d=tag(log,interval(1e-4,1e-1))", "e=range(1,9,2)", "cam=glob(grad*)",
        ]
    )  # fmt: skip
    assert fixed_words(overrides) == ["seed=3"]
    assert search_space(overrides) == {
        "a": CategoricalDistribution(["x", "y"]),
        "b": FloatDistribution(0, 1),
        "c": IntDistribution(1, 5),
        "d": FloatDistribution(1e-4, 1e-1, log=True),
        "e": IntDistribution(1, 7, step=2),
        "cam": CategoricalDistribution(["gradcam"]),
    }
    assert words_of({"a": "x", "b": 0.25}) == ["a=x", "b=0.25"]


@pytest.mark.parametrize(
    "wrong", [{"n_trials": 0}, {"n_jobs": 1.5}, {"seed": -1}, {"direction": "up"}, {"sampler": "x"}]
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(LibraryError, match=next(iter(wrong))):
        SearchSettings("segment/pseudo_miou", **wrong)
