"""The pinned packages are those that pyproject.toml asks for."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]


def asked_for(*, development):
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = [settings["project"]["dependencies"]]
    extras = settings["project"]["optional-dependencies"]
    groups += [extras["tensorboard"], extras["wandb"]]
    if development:
        groups += [extras["pydensecrf"], settings["dependency-groups"]["dev"]]
    return [Requirement(line) for group in groups for line in group]


def pinned(name):
    """Versions by package, of which there may be several for different platforms."""
    versions = {}
    for line in (ROOT / "requirements" / f"{name}.txt").read_text().splitlines():
        if found := re.match(r"([a-z0-9-]+)==([^ ;]+)", line):
            versions.setdefault(found[1], set()).add(found[2])
    return versions


@pytest.mark.parametrize("name", ["run", "dev"])
def test_every_pin_is_within_the_bounds(name):
    versions = pinned(name)
    wanted = asked_for(development=name == "dev")
    assert {"numba", "torch", "wandb"} <= {one.name for one in wanted}
    for one in wanted:
        assert versions[one.name]
        assert all(map(one.specifier.contains, versions[one.name])), one


def test_what_development_pins_is_what_runs():
    run, development = pinned("run"), pinned("dev")
    assert run.items() <= development.items()
