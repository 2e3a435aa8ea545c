"""The sweep of the documentation, as W&B's agent would start its runs."""

import itertools
from pathlib import Path

import pytest
import yaml

import wsss
from wsss.settings.compose import compose

SWEEP = Path(wsss.__file__).parents[1] / "docs" / "wandb_sweep.yaml"


def commands(sweep):
    """The words of every run's command, by the functions of W&B's agent."""
    utils = pytest.importorskip(
        "wandb.sdk.launch.sweeps.utils", reason="wandb is an optional dependency"
    )
    names = list(sweep["parameters"])
    for values in itertools.product(*(one["values"] for one in sweep["parameters"].values())):
        chosen = {name: {"value": value} for name, value in zip(names, values, strict=True)}
        forms = utils.create_sweep_command_args({"args": chosen})
        words = []
        for word in utils.create_sweep_command(list(sweep["command"])):
            words += forms[word[2:-1]] if word.startswith("${") else [word]
        yield {name: one["value"] for name, one in chosen.items()}, words


def test_every_run_of_the_sweep_is_a_command_whose_settings_are_right(tmp_path):
    sweep = yaml.safe_load(SWEEP.read_text())
    found = list(commands(sweep))
    assert len(found) == 6
    composed = set()
    for chosen, (program, command, *words) in found:
        assert (program, command) == (sweep["program"], "run")
        cfg = compose("run", [*words, f"work_dir={tmp_path}"])
        assert cfg.seed == chosen["seed"]
        assert not cfg.logger.wandb.offline
        composed.add((cfg.cam._target_.rpartition(".")[2].lower(), cfg.seed))
    assert composed == {(chosen["cam"], chosen["seed"]) for chosen, _ in found}


def test_the_objective_is_a_number_that_needs_no_mask(finished):
    from wsss.report.health import health

    name = yaml.safe_load(SWEEP.read_text())["metric"]["name"]
    found = health({stage: finished[stage].folder for stage in ("localize", "refine")})
    assert name.removeprefix("health/") in found
